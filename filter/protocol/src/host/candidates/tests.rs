use super::*;
use wasm_bindgen_test::wasm_bindgen_test;

fn mk_candidates(name: &str) -> Vec<String> {
    candidates(name, "shop", "cluster.local")
}

#[wasm_bindgen_test(unsupported = test)]
fn a_bare_name_is_a_service_of_the_callers_namespace() {
    assert_eq!(
        mk_candidates("reviews"),
        ["reviews.shop.svc.cluster.local", "reviews"]
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn two_labels_are_service_and_namespace_then_an_outside_name_then_a_pod() {
    assert_eq!(
        mk_candidates("reviews.books"),
        [
            "reviews.books.svc.cluster.local",
            "reviews.books",
            "reviews.books.shop.svc.cluster.local"
        ]
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn each_longer_spelling_leads_to_the_same_service() {
    let service = "reviews.books.svc.cluster.local";
    for name in ["reviews.books", "reviews.books.svc", service] {
        assert_eq!(
            mk_candidates(name).first().map(String::as_str),
            Some(service),
            "{name}"
        );
    }
    assert_eq!(mk_candidates(service), [service]);
}

#[wasm_bindgen_test(unsupported = test)]
fn each_spelling_of_a_pod_of_a_headless_service_leads_to_its_full_name_last() {
    let pod = "db-0.db.shop.svc.cluster.local";
    for name in ["db-0.db", "db-0.db.shop", "db-0.db.shop.svc", pod] {
        assert_eq!(
            mk_candidates(name).last().map(String::as_str),
            Some(pod),
            "{name}"
        );
    }
    assert_eq!(mk_candidates(pod), [pod]);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_outside_name_stays_what_it_is() {
    assert_eq!(mk_candidates("a.b.c.example.com"), ["a.b.c.example.com"]);
    assert_eq!(
        mk_candidates("api.example.com"),
        ["api.example.com", "api.example.com.svc.cluster.local"]
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn the_cluster_domain_is_not_fixed() {
    let found = candidates("reviews", "shop", ".Mesh.Example.");
    assert_eq!(found, ["reviews.shop.svc.mesh.example", "reviews"]);
    let foreign = candidates("reviews.shop.svc.cluster.local", "shop", "mesh.example");
    assert_eq!(foreign, ["reviews.shop.svc.cluster.local"]);
}

#[wasm_bindgen_test(unsupported = test)]
fn without_a_namespace_a_bare_name_is_only_itself() {
    assert_eq!(candidates("reviews", "", "cluster.local"), ["reviews"]);
    assert_eq!(
        candidates("reviews.books", "", "cluster.local"),
        ["reviews.books.svc.cluster.local", "reviews.books"]
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn a_domain_that_merely_ends_alike_is_another_domain() {
    let name = "a.b.svcx.cluster.local";
    assert_eq!(mk_candidates(name), [name]);
    let glued = "a.b.xsvc.cluster.local";
    assert_eq!(mk_candidates(glued), [glued]);
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use super::*;
    use crate::host::Authority;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_name_itself_is_always_there_and_nothing_is_there_twice(
            name in "[a-z0-9-]{1,12}(\\.[a-z0-9-]{1,12}){0,6}",
            namespace in "[a-z]{0,8}",
            domain in "[a-z]{0,8}(\\.[a-z]{1,8})?",
        ) {
            let found = candidates(&name, &namespace, &domain);
            prop_assert!(found.contains(&name));
            for (index, candidate) in found.iter().enumerate() {
                prop_assert!(!found[..index].contains(candidate));
                prop_assert!(candidate.len() <= MAX_NAME_BYTES);
            }
        }

        #[test]
        fn any_text_at_all_is_taken(name in any::<String>(), namespace in any::<String>(), domain in any::<String>()) {
            prop_assert!(!candidates(&name, &namespace, &domain).is_empty());
        }

        #[test]
        fn every_spelling_of_a_service_finds_it(
            service in "[a-z]{1,8}", namespace in "[a-z]{1,8}", level in 0..4usize, upper: bool, dot: bool, port: bool,
        ) {
            let complete = format!("{service}.{namespace}.svc.cluster.local");
            let spellings = [
                service.clone(),
                format!("{service}.{namespace}"),
                format!("{service}.{namespace}.svc"),
                complete.clone(),
            ];
            let mut written = spellings[level].clone();
            if upper { written.make_ascii_uppercase(); }
            if dot { written.push('.'); }
            if port { written.push_str(":9080"); }
            let authority = Authority::parse(&written).unwrap();
            let found = candidates(authority.name().unwrap(), &namespace, "cluster.local");
            prop_assert_eq!(found.first(), Some(&complete));
        }
    }
}
