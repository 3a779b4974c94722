//! VirtualServices and DestinationRules.

use crate::oracle::case::Case;
use crate::oracle::wire::{FAIL, SLEEP};
use serde_json::{Value, json};

pub fn cases() -> Vec<Case> {
    let mut cases = virtual_services();
    cases.extend(destination_rules());
    cases
}

/// A case with subsets and a VirtualService that leads to them.
fn to_subsets(name: &str, http: impl FnOnce(Value, Value) -> Value) -> Case {
    let case = Case::new(name).subsets();
    let http = http(case.subset("v1"), case.subset("v2"));
    case.virtual_service(http)
}

fn virtual_services() -> Vec<Case> {
    let matched = json!([{"headers": {"x-user": {"exact": "v2"}}}]);
    let by_header = |name: &str| {
        let matched = matched.clone();
        to_subsets(
            name,
            |v1, v2| json!([{"match": matched, "route": [{"destination": v2}]}, {"route": [{"destination": v1}]}]),
        )
    };
    vec![
        by_header("vs-header-match").header("x-user", "v2"),
        by_header("vs-header-no-match"),
        to_subsets("vs-weight-0-100", |v1, v2| {
            json!([{"route": [{"destination": v1, "weight": 0}, {"destination": v2, "weight": 100}]}])
        }),
        to_subsets("vs-weight-50-50", |v1, v2| {
            json!([{"route": [{"destination": v1, "weight": 50}, {"destination": v2, "weight": 50}]}])
        })
        .parallel(24)
        .spread(),
        to_subsets("vs-rewrite", |v1, _| {
            json!([{
                "match": [{"uri": {"prefix": "/answer"}}],
                "rewrite": {"uri": "/rewritten", "authority": "other.example"},
                "headers": {"request": {"set": {"x-set": "by-route"}}, "response": {"set": {"x-answered": "by-route"}}},
                "route": [{"destination": v1}],
            }])
        }),
        to_subsets("vs-redirect", |_, _| {
            json!([{"redirect": {"uri": "/elsewhere", "redirectCode": 308}}])
        }),
        to_subsets("vs-fault-abort", |v1, _| {
            json!([{"fault": {"abort": {"httpStatus": 418, "percentage": {"value": 100}}}, "route": [{"destination": v1}]}])
        }),
        to_subsets("vs-fault-delay", |v1, _| {
            json!([{"fault": {"delay": {"fixedDelay": "1.5s", "percentage": {"value": 100}}}, "route": [{"destination": v1}]}])
        }),
        to_subsets("vs-mirror", |v1, v2| {
            json!([{"mirror": v2, "mirrorPercentage": {"value": 100}, "route": [{"destination": v1}]}])
        }),
        to_subsets("vs-retry", |v1, _| {
            json!([{"retries": {"attempts": 3, "retryOn": "5xx", "backoff": "10ms"}, "route": [{"destination": v1}]}])
        })
        .header(FAIL, "2"),
        to_subsets("vs-no-retry", |v1, _| {
            json!([{"retries": {"attempts": 0}, "route": [{"destination": v1}]}])
        })
        .header(FAIL, "1"),
        Case::new("retry-by-default").header(FAIL, "1"),
        Case::new("refused-by-upstream").header(FAIL, "100"),
        to_subsets("vs-timeout", |v1, _| {
            json!([{"timeout": "1.5s", "retries": {"attempts": 0}, "route": [{"destination": v1}]}])
        })
        .header(SLEEP, "4000"),
        Case::new("slow-upstream").header(SLEEP, "1500"),
        cors("vs-cors-preflight")
            .method("OPTIONS")
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "PUT"),
        cors("vs-cors").header("origin", "https://shop.example"),
    ]
}

fn cors(name: &str) -> Case {
    to_subsets(name, |v1, _| {
        json!([{
            "corsPolicy": {
                "allowOrigins": [{"exact": "https://shop.example"}],
                "allowMethods": ["GET", "PUT"], "maxAge": "60s",
            },
            "route": [{"destination": v1}],
        }])
    })
}

fn destination_rules() -> Vec<Case> {
    let hash = |name: &str, by: Value| {
        let policy = json!({"trafficPolicy": {"loadBalancer": {"consistentHash": by}}});
        Case::new(name).to_both().destination_rule(policy)
    };
    vec![
        to_subsets("dr-subset", |_, v2| json!([{"route": [{"destination": v2}]}])),
        // The same header leads both callers to the same server: the ring is made of the servers' addresses.
        hash("dr-hash-by-header", json!({"httpHeaderName": "x-user"}))
            .header("x-user", "somebody")
            .parallel(12),
        hash("dr-hash-by-source", json!({"useSourceIp": true})).parallel(12).sticky(),
        Case::new("dr-plaintext").destination_rule(json!({"trafficPolicy": {"tls": {"mode": "DISABLE"}}})),
        Case::new("dr-pool").destination_rule(json!({
            "trafficPolicy": {"connectionPool": {"http": {"h2UpgradePolicy": "UPGRADE", "maxRetries": 5}}}
        })),
    ]
}
