//! An SSH server's lines as syslog ships them (RFC 3164 with a priority; UTC, no year).

use event::EventTime;

use super::fact::{Sshd, SshdSaid};
use super::partner::Partner;
use super::text::Text;

/// Writes one line of the auth log.
pub(crate) fn write(partner: &mut Partner, time: EventTime, sshd: &Sshd, text: &mut Text) {
    text.put("<38>");
    partner.utc.syslog(time, text);
    text.put(" bastion-").put(&partner.name).put(" sshd[").number(sshd.pid).put("]: ");
    match sshd.said {
        SshdSaid::FailedPassword { unknown_user } => {
            text.put("Failed password for ").put(if unknown_user { "invalid user " } else { "" });
            from(sshd, text);
            text.put(" ssh2");
        }
        SshdSaid::AcceptedPassword => {
            text.put("Accepted password for ");
            from(sshd, text);
            text.put(" ssh2");
        }
        SshdSaid::AcceptedKey => {
            text.put("Accepted publickey for ");
            from(sshd, text);
            text.put(" ssh2: ED25519 SHA256:4mV0c0p5b1v9n2xkq7yTn3m8r6w1zA5dE0fG2hJ4kL8");
        }
        SshdSaid::SessionOpened => {
            text.put("pam_unix(sshd:session): session opened for user ")
                .put(sshd.user)
                .put("(uid=1000) by (uid=0)");
        }
        SshdSaid::Disconnected => {
            text.put("Disconnected from user ").put(sshd.user).put(" ").address(sshd.address);
            text.put(" port ").number(sshd.port);
        }
    }
}

fn from(sshd: &Sshd, text: &mut Text) {
    text.put(sshd.user).put(" from ").address(sshd.address).put(" port ").number(sshd.port);
}
