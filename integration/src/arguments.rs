//! Command lines through a cargo alias.

use std::ffi::OsString;

/// The arguments of this program. The aliases end in `--`, so that `cargo demo --keep` works; of whoever writes
/// `cargo demo -- --keep` the second `--` comes along, and is left out here.
pub fn arguments() -> Vec<OsString> {
    without_leading_dashes(std::env::args_os())
}

fn without_leading_dashes(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    if arguments.get(1).is_some_and(|first| first == "--") {
        arguments.remove(1);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(line: &str) -> String {
        let words = without_leading_dashes(line.split(' ').map(OsString::from));
        words.join(&OsString::from(" ")).into_string().unwrap()
    }

    #[test]
    fn only_dashes_in_front_are_left_out() {
        assert_eq!(stripped("demo -- --keep"), "demo --keep");
        assert_eq!(stripped("demo --keep"), "demo --keep");
        assert_eq!(
            stripped("mesh kubectl -- get pods"),
            "mesh kubectl -- get pods"
        );
        assert_eq!(stripped("mesh"), "mesh");
    }
}
