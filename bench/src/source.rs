//! Which addresses the clients come from: one address has only so many ports to the same server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::str::FromStr;

use nix::sys::socket::{setsockopt, sockopt};

/// Most addresses of a range.
const ADDRESSES_MAX: u128 = 4_096;

/// One address, or some that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    first: IpAddr,
    last: IpAddr,
}

impl Source {
    pub(crate) fn addresses(self) -> impl Iterator<Item = IpAddr> {
        let (first, last) = (number(self.first), number(self.last));
        let v4 = self.first.is_ipv4();
        (first..=last).map(move |number| match u32::try_from(number) {
            Ok(number) if v4 => Ipv4Addr::from(number).into(),
            _ => Ipv6Addr::from(number).into(),
        })
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let address = |text: &str| text.trim().parse::<IpAddr>();
        let (Ok(first), Ok(last)) = (address(first), address(last)) else {
            return Err("write an address or a range of them, as 127.0.0.2-127.0.0.9".to_owned());
        };
        if first.is_ipv4() != last.is_ipv4() || number(first) > number(last) {
            return Err("a range begins with its lowest address and ends with its highest".to_owned());
        }
        if number(last) - number(first) >= ADDRESSES_MAX {
            return Err(format!("write at most {ADDRESSES_MAX} addresses"));
        }
        Ok(Self { first, last })
    }
}

/// How many connections one address may have to one address and port of a server.
pub(crate) fn ports_each() -> usize {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = range.split_ascii_whitespace().filter_map(|end| end.parse::<usize>().ok());
    match (ends.next(), ends.next()) {
        (Some(first), Some(last)) if first <= last => last - first + 1,
        // Linux's own, where it is not told.
        _ => 28_232,
    }
}

/// Lets a socket that is not connected yet come from an address. Its port is chosen with the destination, so that other
/// destinations may use the same.
pub(crate) fn bind(socket: &impl AsFd, address: IpAddr) -> Result<(), String> {
    // Where the kernel does not know the option, fewer ports are to be had.
    let _ = setsockopt(socket, sockopt::IpBindAddressNoPort, &true);
    rustix::net::bind(socket, &SocketAddr::new(address, 0))
        .map_err(|e| format!("--source {address}: {e}: write an address of this host"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::Source;

    #[test]
    fn ranges_have_both_ends() {
        let addresses = |text: &str| {
            text.parse::<Source>().map(|source| source.addresses().map(|a| a.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(
            addresses("127.0.0.254-127.0.1.1").unwrap(),
            ["127.0.0.254", "127.0.0.255", "127.0.1.0", "127.0.1.1"]
        );
        assert_eq!(addresses("10.0.0.1").unwrap(), ["10.0.0.1"]);
        assert_eq!(addresses("fd00::1-fd00::2").unwrap(), ["fd00::1", "fd00::2"]);
        for nonsense in ["", "localhost", "127.0.0.2-9", "127.0.0.9-127.0.0.2", "127.0.0.1-::1"] {
            assert!(addresses(nonsense).is_err(), "{nonsense}");
        }
        assert!(addresses("10.0.0.0-10.255.0.0").unwrap_err().contains("4096"));
    }
}
