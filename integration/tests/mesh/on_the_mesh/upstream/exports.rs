//! What the mesh configuration says of those who do not say to whom they are exported.

use super::stage::stage;
use crate::on_the_mesh::corner::Turn;
use crate::on_the_mesh::world::{host, mesh, stat};
use integration::until::until;
use serde_json::json;

/// A Service of another namespace that does not say to whom it is exported.
const HIDDEN: &str = "\
apiVersion: v1
kind: Service
metadata: {name: hidden, namespace: default}
spec: {selector: {app: details}, ports: [{name: http, port: 9080}]}
";

/// Istio never gives such a host to another namespace, so that there is no route to wait for.
#[test]
fn what_the_meshs_default_hides_is_not_waited_for_and_is_held_for_once_it_is_shown() {
    let (_turn, stage) = (Turn::alone(), stage());
    stage.apply(HIDDEN);
    stage.await_host(&host("hidden"));
    let private = Private::set();
    let in_vain = || stat(&stage.source, "lazyload_passed_hold_timeout");
    let before = in_vain();
    let url = format!("http://{}:9080/hidden", host("hidden"));
    assert_eq!(stage.served(&url, &[]).caller, None, "passed through");
    assert_eq!(in_vain(), before, "nobody has waited for a route");
    drop(private);
    // By another name, as the filter remembers for a while what it was told of the first.
    let seen = stage.served("http://hidden.default:9080/shown", &[]);
    assert_eq!(seen.caller, stage.identity("source"));
    stage.await_learned("source", &[host("hidden")]);
}

/// A `defaultServiceExportTo` of the own namespace alone. Dropped, it is Istio's again.
struct Private;

impl Private {
    fn set() -> Self {
        let private = Self;
        switch(true).unwrap();
        private
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let back = switch(false);
        // A second panic would end the process and hide the first.
        assert!(back.is_ok() || std::thread::panicking(), "{back:?}");
    }
}

fn switch(is_private: bool) -> anyhow::Result<()> {
    mesh().configure_mesh(|configuration| {
        let list = if is_private {
            json!(["."])
        } else {
            json!(["*"])
        };
        configuration["defaultServiceExportTo"] = list;
    })?;
    // A pod of the stage with full configuration.
    let web = &stage().web;
    until(&format!("private by default: {is_private}"), || {
        let knows = mesh().has_virtual_host(web, &host("hidden"))?;
        Ok((knows != is_private).then_some(()))
    })
}
