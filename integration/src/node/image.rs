//! Which program plays which image. There is no image registry here: an image is known by its name.

use crate::supervisor::inside;
use std::path::{Path, PathBuf};

/// Images of this repository, by the ends of their names, and their programs.
const OURS: [(&str, &str); 2] = [
    ("istio-lazyload/controller", "lazyload"),
    ("istio-lazyload/oracle-app", "oracle-app"),
];

/// The program that stands for an image.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Its path inside the mesh.
    pub path: PathBuf,
    /// Arguments that come with the image, before those of the container.
    pub arguments: Vec<String>,
}

/// The program for an image such as `istio-lazyload/controller:0.1.0`, or a reason that names what is known.
pub fn program(image: &str) -> Result<Program, String> {
    let name = image.rsplit('/').next().unwrap_or_default();
    let (name, _tag) = name.split_once([':', '@']).unwrap_or((name, ""));
    let found = |program: &str, arguments: Vec<String>| {
        Ok(Program {
            path: Path::new(inside::PROGRAMS).join(program),
            arguments,
        })
    };
    if let Some((service, version)) = name
        .strip_prefix("examples-bookinfo-")
        .and_then(|rest| rest.rsplit_once('-'))
    {
        let arguments = ["serve", "--service", service, "--version", version];
        return found("bookinfo", arguments.map(str::to_owned).to_vec());
    }
    let repository = image.split(':').next().unwrap_or_default();
    for (ending, program) in OURS {
        if repository.ends_with(ending) {
            return found(program, vec![]);
        }
    }
    let ours = OURS.map(|(ending, _)| ending).join(" and ");
    Err(format!(
        "the rig has no program for image {image}: it knows examples-bookinfo-*, {ours}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookinfo_image_is_played_with_its_service_and_version() {
        let program =
            program("registry.example/release/examples-bookinfo-reviews-v2:1.20.3").unwrap();
        assert_eq!(program.path, Path::new("/run/mesh/parts/programs/bookinfo"));
        assert_eq!(
            program.arguments,
            ["serve", "--service", "reviews", "--version", "v2"]
        );
    }

    #[test]
    fn the_controllers_image_is_the_controller() {
        assert_eq!(
            program("istio-lazyload/controller:0.1.0")
                .unwrap()
                .path
                .file_name()
                .unwrap(),
            "lazyload"
        );
    }

    #[test]
    fn an_unknown_image_is_refused_by_name_and_the_known_are_told() {
        let reason = program("nginx:1").unwrap_err();
        assert!(reason.contains("nginx:1"));
        assert!(reason.contains("istio-lazyload/controller and istio-lazyload/oracle-app"));
    }
}
