//! Finding the line of a key.

use std::fmt;

use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One step down a YAML document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The way from the top of a document to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyPath(pub Vec<Step>);

impl KeyPath {
    /// Reads `general.dispatches[0].cluster`.
    pub fn of(text: &str) -> Self {
        let mut steps = Vec::new();
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let mut parts = part.split(['[', ']']).filter(|part| !part.is_empty());
            steps.extend(parts.next().map(|key| Step::Key(key.to_owned())));
            steps.extend(
                parts
                    .filter_map(|index| index.parse().ok())
                    .map(Step::Index),
            );
        }
        Self(steps)
    }

    /// The way to what `rest` leads to from here.
    pub fn join(&self, rest: Self) -> Self {
        Self(self.0.iter().cloned().chain(rest.0).collect())
    }
}

impl From<&serde_path_to_error::Path> for KeyPath {
    fn from(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment;
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { variant } => Some(Step::Key(variant.clone())),
            Segment::Unknown => None,
        };
        Self(path.iter().filter_map(step).collect())
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The line, counted from one, on which the key that `path` leads to stands in the `document`-th document of `text`; where there
/// is no such key, that of the nearest one above it.
pub(super) fn line_of(text: &str, document: usize, path: &KeyPath) -> Option<usize> {
    (1..=path.0.len()).rev().find_map(|length| {
        let document = serde_norway::Deserializer::from_str(text).nth(document)?;
        // The parser tells the place of nothing but errors, so the way ends in one.
        let found = Seek(&path.0[..length]).deserialize(document).err()?;
        Some(found.location()?.line())
    })
}

/// Goes down the path and fails at its end.
struct Seek<'a>(&'a [Step]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0.first() {
            None => deserializer.deserialize_any(Here),
            Some(Step::Key(_)) => deserializer.deserialize_map(self),
            Some(Step::Index(_)) => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the path leads to")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.0.split_first() else {
            return Ok(());
        };
        let is_last = rest.is_empty();
        while let Some(is_wanted) = map.next_key_seed(Name { wanted, is_last })? {
            if is_wanted {
                return map.next_value_seed(Seek(rest));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.0.split_first() else {
            return Ok(());
        };
        for _ in 0..*wanted {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        items.next_element_seed(Seek(rest))?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Compares a key with the wanted one, and fails there if it is the last of the path.
struct Name<'a> {
    wanted: &'a str,
    is_last: bool,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        if key == self.wanted && self.is_last {
            return Err(E::custom("here"));
        }
        Ok(key == self.wanted)
    }
}

/// Fails whatever it is given.
struct Here;

impl Visitor<'_> for Here {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# comment
spec:
  module:
    - name: a
    - general:
        list: [x, y]
        deep:
          - cluster: z
            more: {flow: 1}
---
spec: second
";

    #[test]
    fn a_path_is_written_as_it_is_read() {
        for text in ["", "general", "spec.module[1].general.list[0]"] {
            assert_eq!(KeyPath::of(text).to_string(), text);
        }
    }

    #[test]
    fn the_line_is_that_of_the_key_or_of_the_item() {
        for (path, line) in [
            ("spec", 2),
            ("spec.module", 3),
            ("spec.module[1]", 5),
            ("spec.module[1].general", 5),
            ("spec.module[1].general.list[1]", 6),
            ("spec.module[1].general.deep[0].cluster", 8),
            ("spec.module[1].general.deep[0].more.flow", 9),
        ] {
            assert_eq!(line_of(TEXT, 0, &KeyPath::of(path)), Some(line), "{path}");
        }
    }

    #[test]
    fn where_there_is_no_such_key_it_is_the_line_of_the_nearest_above() {
        for (path, line) in [
            ("spec.module[1].general.absent", Some(5)),
            ("spec.module[7]", Some(3)),
            ("absent", None),
        ] {
            assert_eq!(line_of(TEXT, 0, &KeyPath::of(path)), line, "{path}");
        }
        assert_eq!(line_of(TEXT, 1, &KeyPath::of("spec")), Some(11));
    }
}
