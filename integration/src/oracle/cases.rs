//! The list of scenarios.

mod names;
mod phases;
mod protocols;
mod routing;
mod security;

use super::case::Case;

/// Every case.
pub fn all() -> Vec<Case> {
    [
        protocols::cases(),
        routing::cases(),
        security::cases(),
        names::cases(),
        phases::cases(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let cases = all();
        let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
        assert_eq!(names.len(), cases.len());
    }

    #[test]
    fn a_name_is_no_beginning_of_another_with_a_dash_behind() {
        // Requests are found by the beginnings of their ids.
        for case in all() {
            assert!(!case.name.ends_with('-'), "{}", case.name);
        }
    }
}
