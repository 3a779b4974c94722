//! What is edited, and whom it concerns.

use super::Size;
use super::world::{POPULAR, mk_envoy_filter, mk_route, mk_service, mk_sidecar};
use crate::bulk::apply_all;
use crate::form::Form;
use crate::mesh::Mesh;
use anyhow::Result;
use serde::Serialize;

/// A kind of edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit {
    /// One Sidecar names one host more, or less: what a learned host is.
    Sidecar,
    /// The VirtualService of a Service that a few Sidecars name.
    VirtualService,
    /// A port of the Service that every Sidecar names.
    PopularService,
    /// An EnvoyFilter of the root namespace: everything goes to everybody.
    Everything,
}

impl Edit {
    /// All.
    pub const ALL: [Self; 4] = [
        Self::Sidecar,
        Self::VirtualService,
        Self::PopularService,
        Self::Everything,
    ];

    /// For the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sidecar => "one Sidecar, one host",
            Self::VirtualService => "a VirtualService of few",
            Self::PopularService => "a port of a Service of all",
            Self::Everything => "an EnvoyFilter of all",
        }
    }

    /// Makes the edit of this number, which differs from the one before.
    pub fn make(self, mesh: &Mesh, size: Size, form: Form, number: usize) -> Result<()> {
        // Two edits in turn change one object there and back.
        let target = number / 2;
        let object = match self {
            Self::Sidecar => {
                mk_sidecar(size, target % size.sidecars, form, number.is_multiple_of(2))
            }
            // The first one is of the popular Service.
            Self::VirtualService => mk_route(size, (target + 1) * 5 % size.services, number + 1),
            Self::PopularService => mk_service(size, POPULAR, number + 1),
            Self::Everything => mk_envoy_filter(number + 1),
        };
        mesh.with_client(async |client| apply_all(&client, vec![object]).await)?
    }
}
