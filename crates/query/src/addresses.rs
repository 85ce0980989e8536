//! SQL functions for network addresses: `ip_prefix(ip)` and `ip_in_cidr(ip, cidr)`.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, AsArray, BooleanArray, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use ipnet::IpNet;

use crate::functions::{documentation, texts};

/// The heading of their documentation.
const LABEL: &str = "Address Functions";

/// Both of them.
pub(crate) fn functions() -> [Arc<ScalarUDF>; 2] {
    [
        Arc::new(ScalarUDF::new_from_impl(IpPrefix { signature: texts(1) })),
        Arc::new(ScalarUDF::new_from_impl(IpInCidr { signature: texts(2) })),
    ]
}

fn parse(address: &str) -> Option<IpAddr> {
    address.trim().parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// The network that an address is in, written as in the column `src_net`: `/24` for v4, `/48` for v6.
/// Null for what is no address.
#[derive(Debug, PartialEq, Eq, Hash)]
struct IpPrefix {
    signature: Signature,
}

static IP_PREFIX: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "The network of an address, as in the column src_net: /24 for IPv4, /48 for IPv6. \
                       Null for what is no address.";
    documentation(LABEL, description, "ip_prefix(ip)")
});

impl ScalarUDFImpl for IpPrefix {
    fn name(&self) -> &str {
        "ip_prefix"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [addresses] = ColumnarValue::values_to_arrays(&args.args)?
            .try_into()
            .or_else(|_| internal_err!("ip_prefix takes one text"))?;
        let prefix = |address: Option<&str>| address.and_then(parse).map(prefix);
        let prefixes: StringArray = addresses.as_string::<i32>().iter().map(prefix).collect();
        Ok(ColumnarValue::Array(Arc::new(prefixes)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&IP_PREFIX)
    }
}

fn prefix(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

/// Whether an address is in a network. Null for what is no address; a network that is none is an error.
#[derive(Debug, PartialEq, Eq, Hash)]
struct IpInCidr {
    signature: Signature,
}

static IP_IN_CIDR: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "Whether an address is in a network, like 10.0.0.0/8 or 2001:db8::/32. Null for what is no \
                       address.";
    documentation(LABEL, description, "ip_in_cidr(ip, cidr)")
});

impl ScalarUDFImpl for IpInCidr {
    fn name(&self) -> &str {
        "ip_in_cidr"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [addresses, networks] = ColumnarValue::values_to_arrays(&args.args)?
            .try_into()
            .or_else(|_| internal_err!("ip_in_cidr takes two texts"))?;
        let (addresses, networks) = (addresses.as_string::<i32>(), networks.as_string::<i32>());
        let mut last: Option<(&str, IpNet)> = None;
        let mut inside = Vec::with_capacity(addresses.len());
        for (address, text) in addresses.iter().zip(networks) {
            let (Some(address), Some(text)) = (address.and_then(parse), text) else {
                inside.push(None);
                continue;
            };
            let network = match last {
                Some((before, network)) if before == text => network,
                _ => match self::network(text) {
                    Some(network) => network,
                    None => return exec_err!("{text:?} is no network: write it like 10.0.0.0/8"),
                },
            };
            last = Some((text, network));
            inside.push(Some(network.contains(&address)));
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(inside))))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&IP_IN_CIDR)
    }
}

/// A network as `10.0.0.0/8`; one written without its length is none.
fn network(text: &str) -> Option<IpNet> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_written_as_in_src_net() {
        for (address, expected) in [
            ("203.0.113.24", Some("203.0.113.0/24")),
            ("2001:DB8:0001:2:3:4:5:6", Some("2001:db8:1::/48")),
            ("::ffff:198.51.100.7", Some("198.51.100.0/24")),
            ("example.com", None),
        ] {
            assert_eq!(parse(address).map(prefix).as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.1.2.3/32", "10.1.2.3", "10.1.2.4"),
            ("10.1.2.3/8", "10.9.9.9", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("fe80::/10", "febf::1", "10.0.0.1"),
        ] {
            let network = super::network(network).expect("a network");
            assert!(network.contains(&parse(inside).expect("an address")), "{inside}");
            assert!(!network.contains(&parse(outside).expect("an address")), "{outside}");
        }
        assert!(super::network("0.0.0.0/0").is_some_and(|all| all.contains(&IpAddr::from([8, 8, 8, 8]))));
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "x/8", "::/129"] {
            assert_eq!(super::network(text), None, "{text}");
        }
    }
}
