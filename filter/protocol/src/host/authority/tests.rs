use super::*;
use wasm_bindgen_test::wasm_bindgen_test;

fn mk_text(input: &str) -> String {
    Authority::parse(input).unwrap().to_string()
}

fn mk_kind(input: &str) -> AuthorityErrorKind {
    Authority::parse(input).unwrap_err().kind().clone()
}

#[wasm_bindgen_test(unsupported = test)]
fn one_host_has_one_spelling() {
    for (input, canonical) in [
        ("reviews", "reviews"),
        (
            "REVIEWS.Default.svc.cluster.local.",
            "reviews.default.svc.cluster.local",
        ),
        ("reviews:9080", "reviews:9080"),
        ("Reviews.:09080", "reviews:9080"),
        ("_grpc._tcp.a-b", "_grpc._tcp.a-b"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1.:80", "10.0.0.1:80"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[FD00:0::1]:443", "[fd00::1]:443"),
        ("[::ffff:10.0.0.1]:80", "10.0.0.1:80"),
        ("300.1.1.1", "300.1.1.1"),
    ] {
        assert_eq!(mk_text(input), canonical, "{input}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn the_parts_are_told_apart() {
    let name = Authority::parse("reviews:9080").unwrap();
    assert_eq!(
        (name.name(), name.ip(), name.port()),
        (Some("reviews"), None, Some(9080))
    );
    let ip = Authority::parse("[::1]").unwrap();
    assert_eq!(
        (ip.name(), ip.ip(), ip.port()),
        (None, "::1".parse().ok(), None)
    );
    assert_eq!(name.host(), &Host::Name("reviews".to_owned()));
}

#[wasm_bindgen_test(unsupported = test)]
fn what_no_host_can_be_called_is_refused_with_its_reason() {
    use AuthorityErrorKind::{Character, Empty, EmptyLabel, Ipv6, LongLabel, Port, TooLong};
    let label = "a".repeat(64);
    let name = [
        "a".repeat(63),
        "b".repeat(63),
        "c".repeat(63),
        "d".repeat(63),
    ]
    .join(".");
    for (input, kind) in [
        ("", Empty),
        (".", Empty),
        (":80", Empty),
        ("a..b", EmptyLabel),
        (".a", EmptyLabel),
        ("a..", EmptyLabel),
        ("a b", Character(' ')),
        ("a\n", Character('\n')),
        ("a\u{0}", Character('\0')),
        ("user@host", Character('@')),
        ("*.a", Character('*')),
        ("bücher", Character('ü')),
        ("a/b", Character('/')),
        ("a:", Port),
        ("a:0", Port),
        ("a:65536", Port),
        ("a:+80", Port),
        ("a:http", Port),
        ("[::1]:", Port),
        ("a:b:c", Ipv6),
        ("[::1", Ipv6),
        ("[::1]x", Ipv6),
        ("[10.0.0.1]", Ipv6),
        ("[fe80::1%eth0]", Ipv6),
        (&label, LongLabel { bytes: 64 }),
        (&name, TooLong { bytes: 255 }),
    ] {
        assert_eq!(mk_kind(input), kind, "{input:?}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn the_longest_name_of_dns_is_a_name() {
    let name = [
        "a".repeat(63),
        "b".repeat(63),
        "c".repeat(63),
        "d".repeat(61),
    ]
    .join(".");
    assert_eq!(name.len(), MAX_NAME_BYTES);
    assert_eq!(mk_text(&name), name);
    assert_eq!(mk_text(&format!("{name}.:65535")), format!("{name}:65535"));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_error_does_not_repeat_a_flood() {
    let error = Authority::parse(&"é\n".repeat(50_000)).unwrap_err();
    assert_eq!(
        error.kind(),
        &AuthorityErrorKind::TooLong { bytes: 150_000 }
    );
    assert!(error.to_string().len() < 250, "{error}");
    assert!(!error.to_string().contains('\n'));
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    fn mk_name() -> impl Strategy<Value = String> {
        proptest::collection::vec("[a-z0-9_-]{1,20}", 1..6).prop_map(|labels| labels.join("."))
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_stays_short(input in any::<String>()) {
            if let Err(error) = Authority::parse(&input) {
                prop_assert!(error.to_string().chars().count() < 250);
            }
        }

        #[test]
        fn canonical_text_parses_to_the_same_value(input in "[a-zA-Z0-9.:\\[\\]_-]{0,40}") {
            if let Ok(authority) = Authority::parse(&input) {
                let text = authority.to_string();
                prop_assert_eq!(Authority::parse(&text).unwrap(), authority, "{}", text);
            }
        }

        #[test]
        fn case_and_the_trailing_dot_do_not_matter(name in mk_name(), port in proptest::option::of(1u16..)) {
            let suffix = port.map(|port| format!(":{port}")).unwrap_or_default();
            let plain = Authority::parse(&format!("{name}{suffix}")).unwrap();
            let odd = Authority::parse(&format!("{}.{suffix}", name.to_ascii_uppercase())).unwrap();
            prop_assert_eq!(plain, odd);
        }

        #[test]
        fn every_address_is_recognised(ip in any::<std::net::IpAddr>(), port in 1u16..) {
            let text = std::net::SocketAddr::new(ip, port).to_string();
            let authority = Authority::parse(&text).unwrap();
            prop_assert_eq!((authority.ip(), authority.port()), (Some(ip.to_canonical()), Some(port)));
        }
    }
}
