//! The access log that every sidecar of the mesh writes: JSON with the fields that the demo and the tests look at.

use serde::Deserialize;

/// MeshConfig `accessLogFormat`: names here, Envoy's operators behind them.
pub fn format() -> String {
    serde_json::json!({
        "start_time": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        "authority": "%REQ(:AUTHORITY)%",
        "path": "%REQ(:PATH)%",
        "response_code": "%RESPONSE_CODE%",
        "response_flags": "%RESPONSE_FLAGS%",
        "route_name": "%ROUTE_NAME%",
        "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
        "upstream_host": "%UPSTREAM_HOST%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "duration": "%DURATION%",
        "protocol": "%PROTOCOL%",
        "requested_server_name": "%REQUESTED_SERVER_NAME%",
        "downstream_peer": "%DOWNSTREAM_PEER_URI_SAN%",
    })
    .to_string()
}

/// One request as a sidecar logged it.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// `:authority`.
    pub authority: Option<String>,
    /// Path and query.
    pub path: Option<String>,
    /// The upstream cluster's name.
    pub upstream_cluster: Option<String>,
    /// The route's name.
    pub route_name: Option<String>,
    /// Status that the client got; 0 where it got none.
    pub response_code: u16,
    /// `x-request-id`.
    pub request_id: Option<String>,
    /// All fields, these too.
    #[serde(skip)]
    pub all: serde_json::Map<String, serde_json::Value>,
}

/// The entries in a sidecar's log; its other lines are passed over.
pub fn entries(log: &str) -> Vec<Entry> {
    log.lines()
        .filter(|line| line.starts_with('{'))
        .filter_map(|line| {
            let all: serde_json::Map<_, _> = serde_json::from_str(line).ok()?;
            let entry: Entry = serde_json::from_value(all.clone().into()).ok()?;
            Some(Entry { all, ..entry })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_among_other_lines() {
        let log = "2026-01-01T00:00:00Z info xds connected\n\
            {\"authority\":\"details:9080\",\"upstream_cluster\":\"PassthroughCluster\",\"route_name\":\"allow_any\",\"response_code\":200}\n";
        let found = entries(log);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].upstream_cluster.as_deref(),
            Some("PassthroughCluster")
        );
        assert_eq!(found[0].request_id, None);
        assert_eq!(found[0].all["response_code"], 200);
    }
}
