//! Where the application's connection was going before the sidecar took it.

use crate::envoy::Envoy;
use std::net::SocketAddr;

/// The original destination, or nothing where the proxy does not know an address with a port.
pub(crate) fn read(envoy: &dyn Envoy) -> Option<SocketAddr> {
    let bytes = envoy.property(&["destination", "address"])?;
    let address: SocketAddr = str::from_utf8(&bytes).ok()?.parse().ok()?;
    (address.port() != 0).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn mk_read(address: &[u8]) -> Option<String> {
        let envoy = Memory::default();
        envoy.set_property("destination.address", address);
        read(&envoy).map(|address| address.to_string())
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn an_address_of_either_family_is_read_and_written_alike() {
        assert_eq!(mk_read(b"10.0.0.1:9080").as_deref(), Some("10.0.0.1:9080"));
        assert_eq!(mk_read(b"[fd00::1]:80").as_deref(), Some("[fd00::1]:80"));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn whatever_is_no_address_with_a_port_is_no_destination() {
        for address in [
            &b""[..],
            b"/var/run/pipe",
            b"10.0.0.1",
            b"10.0.0.1:0",
            b"a:80",
            b"\xff\xfe",
        ] {
            assert_eq!(mk_read(address), None, "{address:?}");
        }
        assert_eq!(read(&Memory::default()), None);
    }
}
