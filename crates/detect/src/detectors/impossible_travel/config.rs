//! What may be set.

use serde::{Deserialize, Serialize};

use super::NAME;
use crate::config::in_range;
use crate::rules::Parameters;

/// Autonomous systems that let others out: clouds, servers for rent, relays and VPNs. Far from all of them; a
/// database that tells (flag `veiled_address`) knows more.
const HOSTING_ASNS: [i64; 28] = [
    13_335,  // Cloudflare, WARP and Private Relay
    54_113,  // Fastly, Private Relay
    36_183,  // Akamai, Private Relay
    16_625,  // Akamai
    20_940,  // Akamai
    16_509,  // Amazon
    14_618,  // Amazon
    8_075,   // Microsoft
    15_169,  // Google
    396_982, // Google Cloud
    31_898,  // Oracle
    36_351,  // IBM
    45_102,  // Alibaba
    132_203, // Tencent
    14_061,  // DigitalOcean
    63_949,  // Linode
    20_473,  // Vultr
    16_276,  // OVH
    24_940,  // Hetzner
    12_876,  // Scaleway
    51_167,  // Contabo
    60_781,  // LeaseWeb
    28_753,  // LeaseWeb
    9_009,   // M247
    60_068,  // Datacamp
    212_238, // Datacamp
    62_240,  // Clouvider
    53_667,  // FranTech
];

/// Accounts that several people, or machines, share.
const SHARED_USERS: [&str; 9] =
    ["root", "admin", "administrator", "deploy", "git", "ubuntu", "ec2-user", "guest", "anonymous"];

/// Between which places nobody travels.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImpossibleTravelConfig {
    /// Faster than this, in km/h, nobody travels: airliners do 900.
    pub speed_kmh: f64,
    /// Places that are no further apart than this, in km, are one: that is how far databases are off.
    pub distance_km: f64,
    /// Uses closer to each other than this are not compared: stamps of two servers, and two networks of one device.
    pub gap_ms: i64,
    /// Addresses in these autonomous systems do not tell where their user is.
    pub hosting_asns: Vec<i64>,
    /// These users are not one person.
    pub shared_users: Vec<String>,
}

impl Default for ImpossibleTravelConfig {
    fn default() -> Self {
        Self {
            speed_kmh: 900.0,
            distance_km: 500.0,
            gap_ms: 60_000,
            hosting_asns: HOSTING_ASNS.to_vec(),
            shared_users: SHARED_USERS.map(str::to_owned).to_vec(),
        }
    }
}

impl Parameters for ImpossibleTravelConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        for (name, value, most) in
            [("speed_kmh", self.speed_kmh, 100_000.0), ("distance_km", self.distance_km, 20_000.0)]
        {
            if !(50.0..=most).contains(&value) {
                return Err(format!("{NAME}.{name}: must be between 50 and {most}, is {value}"));
            }
        }
        in_range("impossible_travel.gap_ms", self.gap_ms, 1_000, 3_600_000)
    }
}
