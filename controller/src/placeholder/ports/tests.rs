use super::*;

fn mk_service(name: &str, ports: &[(u16, Protocol)]) -> (ObjectRef, Vec<ServicePort>) {
    let ports = ports
        .iter()
        .map(|&(number, protocol)| ServicePort { number, protocol })
        .collect();
    (ObjectRef::new("default", name), ports)
}

fn ports_of(services: &[(ObjectRef, Vec<ServicePort>)]) -> PlaceholderPorts {
    ruled(&PortRules::default(), services)
}

fn ruled(rules: &PortRules, services: &[(ObjectRef, Vec<ServicePort>)]) -> PlaceholderPorts {
    let services = services.iter();
    placeholder_ports(
        rules,
        services.map(|(name, ports)| (name, ports.as_slice())),
    )
}

#[test]
fn declared_http_is_recognised_by_name_prefix_and_by_app_protocol() {
    for (name, protocol) in [
        ("http", Protocol::Http),
        ("HTTP-web", Protocol::Http),
        ("http2", Protocol::Http2),
        ("h2c", Protocol::Http2),
        ("grpc", Protocol::Http2),
        ("grpc-web", Protocol::Http2),
        ("GRPC-api", Protocol::Http2),
    ] {
        assert_eq!(
            protocol_of(1, Some("TCP"), Some(name), None),
            protocol,
            "{name}"
        );
    }
    for (app, protocol) in [
        ("http", Protocol::Http),
        ("grpc", Protocol::Http2),
        ("kubernetes.io/h2c", Protocol::Http2),
        ("kubernetes.io/ws", Protocol::Http),
    ] {
        assert_eq!(
            protocol_of(1, None, Some("tcp"), Some(app)),
            protocol,
            "{app}"
        );
    }
}

#[test]
fn app_protocol_outranks_the_name() {
    assert_eq!(
        protocol_of(1, None, Some("http"), Some("mysql")),
        Protocol::Tcp
    );
    assert_eq!(
        protocol_of(1, None, Some("http"), Some("kubernetes.io/wss")),
        Protocol::Other
    );
}

#[test]
fn tls_and_undeclared_and_udp_ports_are_neither_http_nor_tcp() {
    assert_eq!(protocol_of(443, None, Some("https"), None), Protocol::Other);
    assert_eq!(protocol_of(443, None, Some("tls-x"), None), Protocol::Other);
    assert_eq!(
        protocol_of(9000, None, Some("httpx"), None),
        Protocol::Undeclared
    );
    assert_eq!(protocol_of(9000, None, None, None), Protocol::Undeclared);
    assert_eq!(
        protocol_of(80, Some("UDP"), Some("http"), None),
        Protocol::Other
    );
}

#[test]
fn istio_never_sniffs_the_well_known_server_first_ports() {
    assert_eq!(protocol_of(3306, None, None, None), Protocol::Tcp);
    assert_eq!(protocol_of(3306, None, Some("http"), None), Protocol::Http);
}

#[test]
fn a_port_of_a_service_entry_is_what_its_protocol_says() {
    for (declared, protocol) in [
        (Some("HTTP"), Protocol::Http),
        (Some("grpc"), Protocol::Http2),
        (Some("GRPC-Web"), Protocol::Http2),
        (Some("TCP"), Protocol::Tcp),
        (Some("TLS"), Protocol::Other),
        (None, Protocol::Undeclared),
    ] {
        assert_eq!(entry_protocol(declared), protocol, "{declared:?}");
    }
}

#[test]
fn ports_of_all_services_are_sorted_and_unique() {
    let found = ports_of(&[
        mk_service("a", &[(9080, Protocol::Http), (443, Protocol::Other)]),
        mk_service("b", &[(80, Protocol::Http), (9080, Protocol::Http)]),
    ]);
    assert_eq!(found.open.into_iter().collect::<Vec<_>>(), [80, 9080]);
    assert!(found.conflicts.is_empty());
}

#[test]
fn a_port_that_also_carries_tcp_is_left_out_and_blamed() {
    let found = ports_of(&[
        mk_service("web", &[(3306, Protocol::Http), (80, Protocol::Http)]),
        mk_service("db", &[(3306, Protocol::Tcp), (5432, Protocol::Tcp)]),
    ]);
    assert_eq!(found.open.into_iter().collect::<Vec<_>>(), [80]);
    assert_eq!(
        found.conflicts,
        BTreeMap::from([(3306, ObjectRef::new("default", "db"))])
    );
}

#[test]
fn ports_that_the_configuration_names_are_carried_without_any_service_but_not_against_one() {
    let rules = PortRules {
        wormhole_ports: [80, 3306].into(),
        auto_port: false,
        ..PortRules::default()
    };
    let services = [
        mk_service("web", &[(9080, Protocol::Http)]),
        mk_service("db", &[(3306, Protocol::Tcp)]),
    ];
    let found = ruled(&rules, &services);
    assert!(found.open.iter().eq([&80]), "{found:?}");
    assert!(found.conflicts.keys().eq([&3306]), "{found:?}");
    let both = PortRules {
        auto_port: true,
        ..rules.clone()
    };
    assert!(ruled(&both, &services).open.iter().eq([&80, &9080]));
    let none = PortRules {
        wormhole_ports: BTreeSet::new(),
        ..rules
    };
    assert_eq!(ruled(&none, &services).open, BTreeSet::new());
}

#[test]
fn without_support_for_h2_a_port_is_carried_only_if_it_is_http_to_somebody() {
    let rules = PortRules {
        support_h2: false,
        wormhole_ports: [7070].into(),
        ..PortRules::default()
    };
    let services = [
        mk_service("grpc", &[(80, Protocol::Http2), (9090, Protocol::Http2)]),
        mk_service("named", &[(7070, Protocol::Http2)]),
        mk_service("web", &[(80, Protocol::Http)]),
    ];
    assert!(ruled(&rules, &services).open.iter().eq([&80, &7070]));
    assert!(ports_of(&services).open.iter().eq([&80, &7070, &9090]));
}

#[test]
fn ports_beyond_what_one_service_entry_takes_are_surplus_and_named_ones_are_the_last() {
    let many: Vec<_> = (1..=300).map(|number| (number, Protocol::Http)).collect();
    let services = [mk_service("many", &many)];
    let found = ports_of(&services);
    assert_eq!((found.open.len(), found.surplus.len()), (256, 44));
    assert_eq!(found.open.last(), Some(&256));
    let rules = PortRules {
        wormhole_ports: [300].into(),
        ..PortRules::default()
    };
    let found = ruled(&rules, &services);
    assert_eq!((found.open.len(), found.surplus.len()), (256, 44));
    assert!(found.open.contains(&300) && found.surplus.contains(&256));
}
