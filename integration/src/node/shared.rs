//! What the pods of the node have in common.

use super::names::Names;
use super::sandbox::Addresses;
use kube::Client;

/// What every pod needs of its node.
pub struct Shared {
    /// The API server, as administrator.
    pub client: Client,
    /// Addresses to hand out.
    pub addresses: Addresses,
    /// Names of Services.
    pub names: Names,
}

impl Shared {
    /// A node without any pod yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            addresses: Addresses::default(),
            names: Names::default(),
        }
    }
}
