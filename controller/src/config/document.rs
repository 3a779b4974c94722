//! Finding the lazyload module in a file: the module itself, a list of modules, or a whole `SlimeBoot` object.

use serde_norway::{Mapping, Value};

use super::{error::Problem, locate::KeyPath};

/// The lazyload module of a document and what is said about it elsewhere.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Where it stands.
    pub at: KeyPath,
    /// The module.
    pub module: Value,
    /// `spec.istioNamespace`: the default of `global.istioNamespace`.
    pub istio_namespace: Option<String>,
    /// `spec.namespace`: the default of `global.slimeNamespace`.
    pub slime_namespace: Option<String>,
    /// What is there and not read.
    pub warnings: Vec<String>,
}

/// Keys of a `SlimeBoot` object, besides `spec`.
const OBJECT_KEYS: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
const API_GROUP: &str = "config.netease.com/";

/// Finds the module in `document`.
pub(super) fn find(document: Value) -> Result<Found, Problem> {
    let Value::Mapping(mut top) = document else {
        return Err(Problem::new(
            "",
            "a mapping is needed: a module, `module: […]` or a SlimeBoot object",
        ));
    };
    if top.contains_key("apiVersion") || top.get("kind").is_some_and(|kind| kind == "SlimeBoot") {
        return in_object(top);
    }
    if top.contains_key("module") {
        return in_spec(top, "");
    }
    let kind = top.get("kind").and_then(Value::as_str);
    if let Some(kind) = kind.filter(|&kind| kind != "lazyload") {
        return Err(Problem::new(
            "kind",
            format!("{kind:?} is another module's; lazyload or a SlimeBoot object is needed"),
        ));
    }
    check_enabled(&mut top, "")?;
    Ok(Found {
        module: Value::Mapping(top),
        ..Found::default()
    })
}

fn in_object(mut object: Mapping) -> Result<Found, Problem> {
    let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
    if !text("apiVersion").starts_with(API_GROUP) {
        return Err(Problem::new(
            "apiVersion",
            format!("a SlimeBoot object is of {API_GROUP}v1alpha1"),
        ));
    }
    if text("kind") != "SlimeBoot" {
        return Err(Problem::new("kind", "SlimeBoot is needed"));
    }
    for key in names(&object) {
        if !OBJECT_KEYS.contains(&key.as_str()) {
            return Err(Problem::new(&key, "a SlimeBoot object has no such key"));
        }
    }
    match object.shift_remove("spec") {
        Some(Value::Mapping(spec)) => in_spec(spec, "spec."),
        _ => Err(Problem::new("spec", "a mapping with a `module` is needed")),
    }
}

fn in_spec(mut spec: Mapping, prefix: &str) -> Result<Found, Problem> {
    let istio_namespace = namespace(&mut spec, prefix, "istioNamespace")?;
    let slime_namespace = namespace(&mut spec, prefix, "namespace")?;
    let modules = match spec.shift_remove("module") {
        Some(Value::Sequence(modules)) => modules,
        None => return Err(Problem::new(prefix, "there is no `module`")),
        Some(_) => {
            return Err(Problem::new(
                &format!("{prefix}module"),
                "a list of modules is needed",
            ));
        }
    };
    let mut warnings = Vec::new();
    let rest: Vec<String> = names(&spec).map(|name| format!("{prefix}{name}")).collect();
    if !rest.is_empty() {
        warnings.push(format!(
            "{} not read: there is no forwarder to deploy, and the controller's own pod is described by its Deployment",
            listed(&rest)
        ));
    }
    let mut found: Option<(String, Mapping)> = None;
    for (index, module) in modules.into_iter().enumerate() {
        let at = format!("{prefix}module[{index}]");
        let Value::Mapping(module) = module else {
            return Err(Problem::new(&at, "a module is a mapping"));
        };
        if !is_lazyload(&module) {
            warnings.push(other_module(&at, &module));
        } else if let Some((first, _)) = &found {
            return Err(Problem::new(
                &at,
                format!("{first} is the lazyload module already; one controller serves one"),
            ));
        } else {
            found = Some((at, module));
        }
    }
    let Some((at, mut module)) = found else {
        return Err(Problem::new(
            &format!("{prefix}module"),
            "there is no lazyload module among these: one with `kind: lazyload` is needed",
        ));
    };
    check_enabled(&mut module, &format!("{at}."))?;
    Ok(Found {
        at: KeyPath::of(&at),
        module: Value::Mapping(module),
        istio_namespace,
        slime_namespace,
        warnings,
    })
}

/// By its kind; older generations have none and are known by their section or name.
fn is_lazyload(module: &Mapping) -> bool {
    match module.get("kind").and_then(Value::as_str) {
        Some(kind) => kind == "lazyload",
        None => {
            let name = module.get("name").and_then(Value::as_str);
            module.contains_key("fence") || matches!(name, Some("lazyload" | "fence"))
        }
    }
}

fn other_module(at: &str, module: &Mapping) -> String {
    let text = |key| module.get(key).and_then(Value::as_str);
    let what = text("kind").or(text("name")).unwrap_or("without a name");
    let hint = if module.contains_key("bundle") {
        "; what its `global` says has to be said in the lazyload module"
    } else {
        ""
    };
    format!("{at} is not read: the module {what} is not lazyload's{hint}")
}

/// Takes the switch out of the older section, which alone has one.
fn check_enabled(module: &mut Mapping, prefix: &str) -> Result<(), Problem> {
    let section = module.get_mut("fence").and_then(Value::as_mapping_mut);
    let in_section = section.and_then(|section| section.shift_remove("enable"));
    for (switch, key) in [
        (module.get("enable"), "enable"),
        (in_section.as_ref(), "fence.enable"),
    ] {
        let problem = match switch {
            None | Some(Value::Null | Value::Bool(true)) => continue,
            Some(Value::Bool(false)) => {
                "the module is switched off: remove the Deployment, or say true"
            }
            Some(_) => "true or false is needed",
        };
        return Err(Problem::new(&format!("{prefix}{key}"), problem));
    }
    Ok(())
}

fn namespace(
    spec: &mut Mapping,
    prefix: &str,
    key: &'static str,
) -> Result<Option<String>, Problem> {
    match spec.shift_remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => {
            super::check_namespace(&format!("{prefix}{key}"), &name)?;
            Ok(Some(name))
        }
        Some(_) => Err(Problem::new(
            &format!("{prefix}{key}"),
            "the name of a namespace is needed",
        )),
    }
}

fn names(mapping: &Mapping) -> impl Iterator<Item = String> {
    mapping
        .keys()
        .map(|key| key.as_str().unwrap_or("?").to_owned())
}

/// `a is`, `a and b are`, `a, b and c are`.
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => format!("{one} is"),
        [many @ .., last] => format!("{} and {last} are", many.join(", ")),
    }
}
