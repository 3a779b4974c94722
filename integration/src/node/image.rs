//! Which program plays which image. There is no image registry here: an image is known by its name.

use crate::supervisor::inside;
use std::path::{Path, PathBuf};

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
    if image
        .split(':')
        .next()
        .is_some_and(|repository| repository.ends_with("istio-lazyload/controller"))
    {
        return found("lazyload", vec![]);
    }
    Err(format!(
        "the rig has no program for image {image}: it knows examples-bookinfo-* and istio-lazyload/controller"
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
    fn an_unknown_image_is_refused_by_name() {
        assert!(program("nginx:1").unwrap_err().contains("nginx:1"));
    }
}
