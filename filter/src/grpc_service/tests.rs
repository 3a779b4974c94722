use super::*;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test(unsupported = test)]
fn the_default_target_is_the_bytes_that_envoy_took() {
    assert_eq!(
        encode("outbound|80||a", "a:80").as_deref(),
        Some("\n\u{16}\n\u{e}outbound|80||a\u{12}\u{4}a:80")
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn a_text_that_does_not_fit_is_refused() {
    let long = "a".repeat(MAX_FIELD_BYTES + 1);
    assert_eq!(encode(&long, "a"), None);
    assert_eq!(encode("a", &long), None);
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use super::*;
    use envoy_types::pb::envoy::config::core::v3::{GrpcService, grpc_service::TargetSpecifier};
    use proptest::prelude::*;
    use prost::Message;

    proptest! {
        #[test]
        fn envoys_own_type_reads_both_texts(cluster in "[ -~]{1,125}", authority in "[ -~]{1,125}") {
            let bytes = encode(&cluster, &authority).unwrap();
            let service = GrpcService::decode(bytes.as_bytes()).unwrap();
            let Some(TargetSpecifier::EnvoyGrpc(target)) = service.target_specifier else {
                panic!("not envoy_grpc");
            };
            prop_assert_eq!(target.cluster_name, cluster);
            prop_assert_eq!(target.authority, authority);
        }
    }
}
