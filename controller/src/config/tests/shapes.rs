use super::*;

const MODULE: &str = "{name: lazyload, kind: lazyload, enable: true, general: {stableHost: [a.b]}}";

fn hosts(text: &str) -> Vec<String> {
    parse(text).unwrap().settings().stable_hosts
}

#[test]
fn a_module_is_read_alone_in_a_list_and_in_a_whole_object() {
    for text in [
        MODULE.to_owned(),
        "{\"general\": {\"stableHost\": [\"a.b\"]}}".to_owned(),
        format!("module: [{MODULE}]"),
        format!(
            "---\napiVersion: config.netease.com/v1alpha1\nkind: SlimeBoot\nmetadata: {{name: lazyload}}\nspec: {{module: [{MODULE}]}}"
        ),
    ] {
        assert_eq!(hosts(&text), ["a.b"], "{text}");
        assert_eq!(parse(&text).unwrap().warnings(), [""; 0], "{text}");
    }
}

#[test]
fn a_whole_object_states_the_namespaces_unless_the_module_does() {
    let mk_object = |global: &str| {
        format!(
            "apiVersion: config.netease.com/v1alpha1\nkind: SlimeBoot\nspec: {{namespace: s, istioNamespace: i, module: [{{kind: lazyload, global: {{{global}}}}}]}}"
        )
    };
    let settings = parse(&mk_object("")).unwrap().settings();
    assert_eq!(settings.slime_namespace, "s");
    assert_eq!(settings.istio_namespace, "i");
    let settings = parse(&mk_object("istioNamespace: j, slimeNamespace: t"))
        .unwrap()
        .settings();
    assert_eq!(settings.slime_namespace, "t");
    assert_eq!(settings.istio_namespace, "j");
}

#[test]
fn what_belongs_to_the_forwarder_and_the_pod_is_named_in_one_warning() {
    let text = format!(
        "apiVersion: config.netease.com/v1alpha1
kind: SlimeBoot
spec:
  image: {{repository: docker.io/slimeio/slime-lazyload}}
  replicaCount: 1
  module: [{MODULE}]
  component: {{globalSidecar: {{enable: true, type: cluster}}, pilot: {{enable: true}}}}
  volumes: []
"
    );
    let config = parse(&text).unwrap();
    let [warning] = config.warnings() else {
        panic!("{:?}", config.warnings());
    };
    assert!(
        warning
            .starts_with("spec.image, spec.replicaCount, spec.component and spec.volumes are not"),
        "{warning}"
    );
}

#[test]
fn of_several_modules_the_one_of_lazyload_counts() {
    let text = format!(
        "module:\n- {{name: bundle, enable: true, bundle: {{modules: [{{name: l, kind: lazyload}}]}}, global: {{}}}}\n- {{name: l, kind: limiter, general: {{whatever: 1}}}}\n- {}",
        MODULE.replace("name:", "mode: BundleItem, name:")
    );
    assert_eq!(hosts(&text), ["a.b"]);
    let warnings = parse(&text).unwrap().warnings().to_vec();
    for (warning, part) in warnings.iter().zip(["bundle", "limiter", "mode"]) {
        assert!(warning.contains(part), "{part} in {warning}");
    }
    assert_eq!(warnings.len(), 3);
}

#[test]
fn none_two_and_a_disabled_one_are_errors() {
    for (text, parts) in [
        ("module: []".to_owned(), &["module", "no lazyload module"][..]),
        (
            "module: [{kind: limiter}]".to_owned(),
            &["no lazyload module"],
        ),
        (
            format!("module:\n- {MODULE}\n- {MODULE}"),
            &["line 3", "module[1]", "module[0] is the lazyload module"],
        ),
        (
            MODULE.replace("enable: true", "enable: false"),
            &["enable", "switched off"],
        ),
        (
            "module:\n- name: a\n  fence: {enable: false}".to_owned(),
            &["line 3", "module[0].fence.enable", "switched off"],
        ),
        (
            "fence: {enable: maybe}".to_owned(),
            &["line 1", "fence.enable", "true or false"],
        ),
        ("kind: limiter".to_owned(), &["kind", "limiter"]),
        (
            "kind: SlimeBoot\nspec: {}".to_owned(),
            &["apiVersion", "config.netease.com"],
        ),
        (
            "apiVersion: v1\nkind: ConfigMap".to_owned(),
            &["line 1", "apiVersion"],
        ),
        (
            "apiVersion: config.netease.com/v1alpha1\nkind: SlimeBoot\n".to_owned(),
            &["spec", "module"],
        ),
        (
            "apiVersion: config.netease.com/v1alpha1\nkind: SlimeBoot\nspec: {namespace: 1, module: []}".to_owned(),
            &["line 3", "spec.namespace"],
        ),
        (
            "general: {}\nfence: {}".to_owned(),
            &["line 2", "fence", "keep one"],
        ),
    ] {
        refused(&text, parts);
    }
}
