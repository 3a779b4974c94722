use crate::error::BuildError;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::{fmt::Write as _, fs, io::Write as _, path::Path};

/// How large a module is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Measure {
    /// Size of the file, in bytes.
    pub bytes: usize,
    /// Size after `gzip -9`, in bytes: what an image layer costs.
    pub gzip_bytes: usize,
    /// SHA-256 of the file, in lower-case hexadecimal: what `WasmPlugin.spec.sha256` takes.
    pub sha256: String,
}

/// Measures the module at `path`.
///
/// # Errors
/// [`BuildError::File`] where the file cannot be read.
pub fn measure(path: &Path) -> Result<Measure, BuildError> {
    let failed = |source| BuildError::File {
        path: path.to_owned(),
        source,
    };
    let module = fs::read(path).map_err(failed)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&module).map_err(failed)?;
    let gzip = gzip.finish().map_err(failed)?;
    let mut sha256 = String::new();
    for byte in Sha256::digest(&module) {
        // Writing to a string cannot fail.
        let _ = write!(sha256, "{byte:02x}");
    }
    Ok(Measure {
        bytes: module.len(),
        gzip_bytes: gzip.len(),
        sha256,
    })
}
