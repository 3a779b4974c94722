use regex::Regex;

use super::*;

fn mk_dispatch(name: &str, domains: &[&str], regex: Option<&str>) -> Dispatch {
    Dispatch {
        name: name.to_owned(),
        domains: domains.iter().map(|&domain| domain.to_owned()).collect(),
        domain_regex: regex.map(str::to_owned),
        to: DispatchTo::Cluster("PassthroughCluster".to_owned()),
    }
}

/// The route that a request of this authority takes.
fn routed(entries: &[Entry<'_>], authority: &str) -> Option<String> {
    let mut entries = entries.iter();
    let taken = entries.find(|entry| {
        let Some(expression) = &entry.authority else {
            return true;
        };
        // Envoy matches the whole value.
        Regex::new(&format!("^(?:{expression})$"))
            .unwrap()
            .is_match(authority)
    });
    let route = &taken?.route;
    Some(route.strip_prefix(DISPATCH_ROUTE_PREFIX)?.to_owned())
}

#[test]
fn the_most_special_match_counts_and_then_the_first_of_the_configuration() {
    let dispatches = [
        mk_dispatch("all", &["*"], None),
        mk_dispatch("expression", &[], Some(r".*\.org")),
        mk_dispatch("later", &[], Some(r"www\..*")),
        mk_dispatch("prefix", &["www.*"], None),
        mk_dispatch("longer-prefix", &["www.a.*"], None),
        mk_dispatch("suffix", &["*.com"], None),
        mk_dispatch("longer-suffix", &["*.a.com"], None),
        mk_dispatch("exact", &["www.a.com"], None),
        mk_dispatch("twice", &["www.a.com"], None),
        mk_dispatch("port", &["www.a.com:8443"], None),
    ];
    let (entries, refused) = ordered(&dispatches);
    assert_eq!(refused, []);
    for (authority, expected) in [
        ("www.a.com", "exact"),
        ("WWW.a.Com", "exact"),
        ("www.a.com:8080", "exact"),
        ("www.a.com:8443", "port"),
        ("b.a.com:80", "longer-suffix"),
        ("b.com", "suffix"),
        ("www.a.org", "longer-prefix"),
        ("www.b.org:80", "prefix"),
        ("b.org:80", "expression"),
        ("a.com.b", "all"),
        (".com", "all"),
    ] {
        assert_eq!(
            routed(&entries, authority).as_deref(),
            Some(expected),
            "{authority}"
        );
    }
}

#[test]
fn a_name_is_taken_as_it_is_and_not_as_an_expression() {
    let dispatches = [mk_dispatch("a", &["www.a.com", "[fd00::1]"], None)];
    let (entries, _) = ordered(&dispatches);
    assert_eq!(routed(&entries, "wwwxa.com"), None);
    assert_eq!(routed(&entries, "xwww.a.com"), None);
    for authority in ["[fd00::1]", "[fd00::1]:80"] {
        assert!(routed(&entries, authority).is_some(), "{authority}");
    }
}

#[test]
fn all_matches_of_a_dispatch_have_one_name_that_no_other_dispatch_has() {
    let dispatches = [
        mk_dispatch("a", &["a", "b"], None),
        mk_dispatch("a-2", &["c"], None),
        mk_dispatch("a", &["d"], None),
    ];
    let (entries, _) = ordered(&dispatches);
    let names: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .filter_map(|host| routed(&entries, host))
        .collect();
    assert_eq!(names, ["a", "a", "a-2", "a-3"]);
}

#[test]
fn what_envoy_would_refuse_is_left_out_and_told_and_costs_nothing_else() {
    let mut templated = mk_dispatch("templated", &["a"], None);
    templated.to = DispatchTo::Cluster("{{ .Values.foo }}".to_owned());
    let mut nowhere = mk_dispatch("nowhere", &["b"], None);
    nowhere.to = DispatchTo::Cluster(String::new());
    let dispatches = [
        templated,
        nowhere,
        mk_dispatch("nothing", &[], None),
        mk_dispatch("mixed", &["a b", "*.a.*", "a*b", "", "good"], Some("(")),
    ];
    let (entries, refused) = ordered(&dispatches);
    assert_eq!(routed(&entries, "good").as_deref(), Some("mixed"));
    assert_eq!(entries.len(), 1);
    let names: Vec<_> = refused
        .iter()
        .map(|refused| refused.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "templated",
            "nowhere",
            "nothing",
            "mixed",
            "mixed",
            "mixed",
            "mixed",
            "mixed"
        ]
    );
    let text = refused[3].to_string();
    for part in ["dispatches", "mixed", "a b", "*.<suffix>"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(refused[2].error, DispatchError::NoHosts);
}
