use super::*;

fn mk_request(mode: Mode) -> FirstRequest {
    FirstRequest {
        mode,
        installed: Installed::Yes,
        blocked: None,
        port: Some(9080),
        protocol: Some(Protocol::Http),
        is_port_open: true,
    }
}

fn nothing_needs_it() -> Option<Need> {
    None
}

#[test]
fn the_mode_decides_where_nothing_speaks_against_holding() {
    for (mode, need, expected) in [
        (Mode::Hold, None, Ok(Need::Configured)),
        (
            Mode::PassThrough,
            Some(Need::StrictMtls),
            Err(PassThrough::Configured),
        ),
        (Mode::Adaptive, Some(Need::StrictMtls), Ok(Need::StrictMtls)),
        (Mode::Adaptive, None, Err(PassThrough::NotNeeded)),
    ] {
        assert_eq!(mk_request(mode).decide(|| need), expected, "{mode:?}");
    }
}

#[test]
fn nothing_is_held_that_could_not_be_let_go_through_a_route() {
    let blocked = Blocked {
        fence: "default/web".to_owned(),
        reason: "SidecarNotOwned",
    };
    let request = mk_request(Mode::Hold);
    let cases = [
        (
            FirstRequest {
                installed: Installed::NotConfigured,
                ..request.clone()
            },
            "not_installed",
        ),
        (
            FirstRequest {
                installed: Installed::Missing,
                ..request.clone()
            },
            "replay_missing",
        ),
        (
            FirstRequest {
                installed: Installed::Foreign,
                ..request.clone()
            },
            "replay_foreign",
        ),
        (
            FirstRequest {
                blocked: Some(blocked),
                ..request.clone()
            },
            "not_in_force",
        ),
        (
            FirstRequest {
                port: None,
                ..request.clone()
            },
            "no_port",
        ),
        (
            FirstRequest {
                protocol: None,
                ..request.clone()
            },
            "no_port",
        ),
        (
            FirstRequest {
                is_port_open: false,
                ..request
            },
            "port_not_open",
        ),
    ];
    for (request, label) in cases {
        let error = request.decide(nothing_needs_it).unwrap_err();
        assert_eq!(error.metric_label(), label);
        assert!(error.to_string().starts_with("not held: "), "{error}");
    }
}

#[test]
fn http_and_undeclared_ports_have_routes_and_others_have_none() {
    for (protocol, is_held) in [
        (Protocol::Http, true),
        (Protocol::Http2, true),
        (Protocol::Undeclared, true),
        (Protocol::Tcp, false),
        (Protocol::Other, false),
    ] {
        let request = FirstRequest {
            protocol: Some(protocol),
            ..mk_request(Mode::Hold)
        };
        let decision = request.decide(nothing_needs_it);
        assert_eq!(decision.is_ok(), is_held, "{protocol:?}");
    }
}
