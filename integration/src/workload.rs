//! Pods by the names that people use for them.

/// One pod of the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Workload {
    /// The name of its network namespace and of its folder.
    pub fn sandbox(&self) -> String {
        format!("{}.{}", self.namespace, self.name)
    }
}
