//! What a fence wishes of forgetting, over what the configuration says.

use serde_json::Value;

use crate::{
    api::ServiceFenceSpec,
    settings::{Forgetting, parse_duration},
};

/// When `fence` drops learned hosts: its own wishes over those of the whole mesh. What of them cannot be read is no wish; it is given
/// back in words, each naming its field.
pub fn forgetting_of(spec: &ServiceFenceSpec, mesh: &Forgetting) -> (Forgetting, Vec<String>) {
    let mut effective = mesh.clone();
    let mut problems = Vec::new();
    let wishes = match &spec.forgetting {
        None | Some(Value::Null) => return (effective, problems),
        Some(Value::Object(wishes)) => wishes,
        Some(other) => {
            problems.push(format!(
                "spec.forgetting {other} (not an object with fields such as enabled and timeToLive)"
            ));
            return (effective, problems);
        }
    };
    for (field, wish) in wishes.iter().filter(|(_, wish)| !wish.is_null()) {
        let done = match field.as_str() {
            "enabled" => flag(wish).map(|wish| effective.is_on = wish),
            "timeToLive" => length(wish, 1).map(|wish| effective.time_to_live = wish),
            "longestTimeToLive" => {
                length(wish, 1).map(|wish| effective.longest_time_to_live = wish)
            }
            "grace" => length(wish, 0).map(|wish| effective.grace = wish),
            "probation" => length(wish, 0).map(|wish| effective.probation = wish),
            _ => Err(format!("{wish}: there is no such field")),
        };
        if let Err(problem) = done {
            problems.push(format!("spec.forgetting.{field} {problem}"));
        }
    }
    (effective, problems)
}

fn flag(wish: &Value) -> Result<bool, String> {
    wish.as_bool()
        .ok_or_else(|| format!("{wish}: neither true nor false"))
}

fn length(wish: &Value, least: u64) -> Result<std::time::Duration, String> {
    let text = wish
        .as_str()
        .ok_or_else(|| format!("{wish}: not a text such as \"168h\""))?;
    let length = parse_duration(text)?;
    if length.as_secs() < least {
        return Err(format!("{text:?}: less than a second"));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn mk_spec(forgetting: Value) -> ServiceFenceSpec {
        serde_json::from_value(json!({ "forgetting": forgetting })).unwrap()
    }

    #[test]
    fn a_fence_overrides_what_it_names_and_takes_the_rest_from_the_mesh() {
        let mesh = Forgetting::default();
        let spec = mk_spec(
            json!({ "enabled": true, "timeToLive": "2h", "longestTimeToLive": "3d", "probation": null }),
        );
        let (effective, problems) = forgetting_of(&spec, &mesh);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            effective,
            Forgetting {
                is_on: true,
                time_to_live: Duration::from_secs(7_200),
                longest_time_to_live: Duration::from_secs(3 * 86_400),
                ..mesh
            }
        );
    }

    #[test]
    fn a_slip_is_named_and_leaves_what_the_mesh_says() {
        let mesh = Forgetting::default();
        let spec = mk_spec(json!({
            "enabled": "yes", "timeToLive": "soon", "grace": 5, "timetolive": "1h", "longestTimeToLive": "0s", "probation": "1h",
        }));
        let (effective, problems) = forgetting_of(&spec, &mesh);
        let probation = Duration::from_secs(3_600);
        assert_eq!(effective, Forgetting { probation, ..mesh });
        for field in [
            "enabled",
            "timeToLive",
            "grace",
            "timetolive",
            "longestTimeToLive",
        ] {
            let name = format!("spec.forgetting.{field} ");
            assert!(
                problems.iter().any(|problem| problem.starts_with(&name)),
                "{field} in {problems:?}"
            );
        }
        assert_eq!(problems.len(), 5);
    }

    #[test]
    fn a_fence_without_wishes_or_with_none_that_can_be_read_does_what_the_mesh_says() {
        let mesh = Forgetting::default();
        let none = forgetting_of(&ServiceFenceSpec::default(), &mesh);
        assert_eq!(none, (mesh.clone(), Vec::new()));
        let (effective, problems) = forgetting_of(&mk_spec(json!("off")), &mesh);
        assert_eq!((effective, problems.len()), (mesh, 1));
    }
}
