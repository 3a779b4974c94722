//! A pod's network: a namespace with one routed link to the node, as CNI plugins without a bridge make it. Every packet
//! between pods crosses the node, so that kube-proxy's rules see it.

use crate::supervisor::control_plane::sh;
use anyhow::Result;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// The next hop of every pod: an address of the node's end of its link.
const GATEWAY: &str = "169.254.1.1";

/// Hands out pod addresses from 10.244.0.0/16, none twice.
#[derive(Default)]
pub struct Addresses {
    used: AtomicU32,
}

impl Addresses {
    fn next(&self) -> (u32, Ipv4Addr) {
        let number = self.used.fetch_add(1, Ordering::Relaxed) + 10;
        (
            number,
            Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 244, 0, 0)) + number % 65_000),
        )
    }
}

/// A network namespace with its link and its address.
pub struct Sandbox {
    name: String,
    link: String,
    /// The pod's address.
    pub address: Ipv4Addr,
}

impl Sandbox {
    /// A namespace called `name`, not made yet.
    pub fn new(addresses: &Addresses, name: &str) -> Self {
        let (number, address) = addresses.next();
        Self {
            name: name.to_owned(),
            link: format!("pod{number}"),
            address,
        }
    }

    /// Makes the namespace and everything in it.
    pub async fn make(&self) -> Result<()> {
        let (name, link, address) = (
            self.name.as_str(),
            self.link.as_str(),
            format!("{}/32", self.address),
        );
        sh("ip", &["netns", "add", name]).await?;
        sh(
            "ip",
            &[
                "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name,
            ],
        )
        .await?;
        sh(
            "ip",
            &["address", "add", &format!("{GATEWAY}/32"), "dev", link],
        )
        .await?;
        sh("ip", &["link", "set", link, "up"]).await?;
        sh("ip", &["route", "add", &address, "dev", link]).await?;
        sh("ip", &["-n", name, "link", "set", "lo", "up"]).await?;
        sh(
            "ip",
            &["-n", name, "address", "add", &address, "dev", "eth0"],
        )
        .await?;
        sh("ip", &["-n", name, "link", "set", "eth0", "up"]).await?;
        sh(
            "ip",
            &[
                "-n", name, "route", "add", GATEWAY, "dev", "eth0", "scope", "link",
            ],
        )
        .await?;
        sh(
            "ip",
            &["-n", name, "route", "add", "default", "via", GATEWAY],
        )
        .await?;
        Ok(())
    }

    /// The namespace as a path to enter.
    pub fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.name)
    }

    /// Removes the namespace; its link goes with it.
    pub async fn remove(self) -> Result<()> {
        let link = sh("ip", &["link", "delete", &self.link]).await;
        sh("ip", &["netns", "delete", &self.name]).await?;
        link.map(drop)
    }
}
