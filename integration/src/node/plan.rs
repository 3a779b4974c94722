//! What a container is to run, worked out from its pod: program, arguments, environment, user.

use super::field::field;
use super::{APPLICATION_USER, image};
use anyhow::{Result, anyhow, bail};
use k8s_openapi::api::core::v1 as core;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// How to start one container.
#[derive(Debug)]
pub struct Plan {
    /// The container's name.
    pub name: String,
    /// The program that plays its image.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// The user and group that it runs as.
    pub user: u32,
}

/// The plan for `container` of `pod`, which has `address`.
pub fn plan(pod: &core::Pod, container: &core::Container, address: Ipv4Addr) -> Result<Plan> {
    let image = container.image.as_deref().unwrap_or_default();
    let program = image::program(image).map_err(|reason| anyhow!(reason))?;
    if container.command.is_some() {
        bail!(
            "container {} sets `command`, which the rig's node does not run",
            container.name
        );
    }
    let mut environment = vec![
        ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
        ("KUBERNETES_SERVICE_HOST".to_owned(), "10.96.0.1".to_owned()),
        ("KUBERNETES_SERVICE_PORT".to_owned(), "443".to_owned()),
    ];
    for variable in container.env.iter().flatten() {
        environment.push((variable.name.clone(), value(pod, variable, address)?));
    }
    let own = container
        .security_context
        .as_ref()
        .and_then(|context| context.run_as_user);
    let pods = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.security_context.as_ref()?.run_as_user);
    let user = own.or(pods).map_or(Ok(APPLICATION_USER), u32::try_from)?;
    let arguments = program
        .arguments
        .into_iter()
        .chain(container.args.clone().unwrap_or_default())
        .collect();
    Ok(Plan {
        name: container.name.clone(),
        program: program.path,
        arguments,
        environment,
        user,
    })
}

fn value(pod: &core::Pod, variable: &core::EnvVar, address: Ipv4Addr) -> Result<String> {
    let Some(source) = &variable.value_from else {
        return Ok(variable.value.clone().unwrap_or_default());
    };
    match &source.field_ref {
        Some(reference) => field(pod, &reference.field_path, Some(address)),
        None => bail!(
            "environment variable {}: the rig's node knows values and fieldRef only",
            variable.name
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_pod(container: serde_json::Value) -> core::Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p", "namespace": "n"},
            "spec": {"containers": [container], "securityContext": {"runAsUser": 65532}},
        }))
        .unwrap()
    }

    fn planned(container: serde_json::Value) -> Result<Plan> {
        let pod = mk_pod(container);
        plan(
            &pod,
            &pod.spec.as_ref().unwrap().containers[0],
            Ipv4Addr::new(10, 244, 0, 1),
        )
    }

    #[test]
    fn a_containers_arguments_follow_those_of_its_image() {
        let plan = planned(
            serde_json::json!({"name": "c", "image": "x/examples-bookinfo-details-v1", "args": ["--more"]}),
        );
        assert_eq!(
            plan.unwrap().arguments,
            ["serve", "--service", "details", "--version", "v1", "--more"]
        );
    }

    #[test]
    fn a_pods_user_holds_where_the_container_names_none() {
        let plan = planned(serde_json::json!({"name": "c", "image": "istio-lazyload/controller"}));
        assert_eq!(plan.unwrap().user, 65532);
    }

    #[test]
    fn the_address_of_the_pod_reaches_its_environment() {
        let env = serde_json::json!([{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]);
        let plan = planned(
            serde_json::json!({"name": "c", "image": "istio-lazyload/controller", "env": env}),
        );
        assert!(
            plan.unwrap()
                .environment
                .contains(&("IP".into(), "10.244.0.1".into()))
        );
    }
}
