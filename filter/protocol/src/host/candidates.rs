use super::MAX_NAME_BYTES;

/// The mesh hosts that `name` may stand for, most exact first: the first one that exists is the one that is meant.
///
/// `name` is canonical, as [`Authority::name`](super::Authority::name) gives it; `source_namespace` is that of the calling
/// pod (empty: unknown, and names that need it are left out); `cluster_domain` is for example `cluster.local`.
///
/// The order is that of a pod's `resolv.conf` (`search <namespace>.svc.<domain> svc.<domain> <domain>`), in three groups:
/// 1. each completion that has the shape of a Service, `<service>.<namespace>.svc.<domain>`;
/// 2. the name as it stands, for ServiceEntry hosts and names that are complete already;
/// 3. each completion that has the shape of a pod of a headless Service, `<pod>.<service>.<namespace>.svc.<domain>`. Last,
///    because a route of exactly this name comes before one of all names below another.
///
/// There is always at least one candidate, and no candidate twice.
pub fn candidates(name: &str, source_namespace: &str, cluster_domain: &str) -> Vec<String> {
    let domain = cluster_domain.trim_matches('.').to_ascii_lowercase();
    let services = join(&["svc", &domain]);
    let mut found = Vec::new();
    let mut pods = Vec::new();
    let searches = [
        (!source_namespace.is_empty()).then(|| join(&[source_namespace, &services])),
        Some(services.clone()),
        Some(domain),
    ];
    for search in searches
        .iter()
        .flatten()
        .filter(|search| !search.is_empty())
    {
        let complete = join(&[name, search]);
        match Shape::of(&complete, &services) {
            Shape::Service => add(&mut found, complete),
            Shape::Pod => pods.push(complete),
            Shape::Other => {}
        }
    }
    add_verbatim(&mut found, name);
    for pod in pods {
        add(&mut found, pod);
    }
    found
}

/// What a complete name says by its labels alone.
enum Shape {
    Service,
    Pod,
    Other,
}

impl Shape {
    fn of(complete: &str, services: &str) -> Self {
        let Some(own) = complete
            .strip_suffix(services)
            .and_then(|own| own.strip_suffix('.'))
        else {
            return Shape::Other;
        };
        match own.split('.').count() {
            2 => Shape::Service,
            3 => Shape::Pod,
            _ => Shape::Other,
        }
    }
}

fn join(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(".")
}

fn add(found: &mut Vec<String>, candidate: String) {
    if candidate.len() <= MAX_NAME_BYTES && !found.contains(&candidate) {
        found.push(candidate);
    }
}

fn add_verbatim(found: &mut Vec<String>, name: &str) {
    if !found.iter().any(|candidate| candidate == name) {
        found.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests;
