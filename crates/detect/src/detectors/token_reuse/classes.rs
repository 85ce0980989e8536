//! The classes of token findings, from the worst to the mildest.

use event::Severity;

use crate::class::ClassInfo;

const fn class(
    class: &'static str,
    severity: Severity,
    techniques: &'static [&'static str],
    owasp_api: &'static str,
    owasp_event: &'static str,
    description: &'static str,
) -> ClassInfo {
    ClassInfo {
        class,
        severity,
        description,
        techniques,
        owasp_api: Some(owasp_api),
        owasp_event: Some(owasp_event),
    }
}

pub(super) const DOUBLE_REDEEM: ClassInfo = class(
    "token.double_redeem",
    Severity::Critical,
    &["T1550.001"],
    "API2",
    "authn_token_reuse",
    "One token was accepted twice: the issuer's single-use control failed.",
);
pub(super) const REPLAY_ACROSS_PARTNERS: ClassInfo = class(
    "token.replay_across_partners",
    Severity::Critical,
    &["T1550.001"],
    "API2",
    "authn_token_reuse",
    "One token was presented under two or more partners.",
);
pub(super) const EXPIRED_ACCEPTED: ClassInfo = class(
    "token.expired_use.accepted",
    Severity::Critical,
    &["T1550.001"],
    "API2",
    "session_use_after_expire",
    "A token was accepted after its end: a fault of the issuer or of a clock.",
);
pub(super) const WRONG_USER: ClassInfo = class(
    "token.wrong_user",
    Severity::High,
    &["T1550.001"],
    "API1",
    "malicious_direct_reference",
    "A token was presented for another user than it was issued to; critical if it was accepted.",
);
pub(super) const WRONG_PARTNER: ClassInfo = class(
    "token.wrong_partner",
    Severity::High,
    &["T1199"],
    "API2",
    "authn_token_reuse",
    "A token was presented at another partner than it was issued to; critical if accepted, medium \
     where only the embedding page's host differs.",
);
pub(super) const OTHER_ORIGIN: ClassInfo = class(
    "token.reuse.other_origin",
    Severity::High,
    &["T1550.001", "T1539"],
    "API2",
    "authn_token_reuse",
    "A token was used, then presented again from another network: it has leaked.",
);
pub(super) const REVOKED_USE: ClassInfo = class(
    "token.revoked_use",
    Severity::Medium,
    &["T1550.001"],
    "API2",
    "authn_token_reuse",
    "A token was presented after it was revoked; critical if it was accepted.",
);
pub(super) const NETWORK_SWITCH: ClassInfo = class(
    "token.reuse.network_switch",
    Severity::Medium,
    &["T1550.001"],
    "API2",
    "authn_token_reuse",
    "A token was presented again by the same browser from another network moments later.",
);
pub(super) const SAME_ORIGIN: ClassInfo = class(
    "token.reuse.same_origin",
    Severity::Low,
    &["T1550.001"],
    "API2",
    "authn_token_reuse",
    "A token was presented again by the same network well after its use: it was cached or stored.",
);
pub(super) const BENIGN_DOUBLE: ClassInfo = class(
    "token.reuse.benign_double",
    Severity::Info,
    &["T1550.001"],
    "API2",
    "authn_token_reuse",
    "A token was sent twice within seconds by the same browser: a double click or a retry.",
);
pub(super) const EXPIRED_REJECTED: ClassInfo = class(
    "token.expired_use.rejected",
    Severity::Info,
    &["T1550.001"],
    "API2",
    "session_use_after_expire",
    "A token was presented after its end and refused; medium if more than an hour after.",
);

/// Every class, from the worst to the mildest.
pub const CLASSES: &[ClassInfo] = &[
    DOUBLE_REDEEM,
    REPLAY_ACROSS_PARTNERS,
    EXPIRED_ACCEPTED,
    WRONG_USER,
    WRONG_PARTNER,
    OTHER_ORIGIN,
    REVOKED_USE,
    NETWORK_SWITCH,
    SAME_ORIGIN,
    BENIGN_DOUBLE,
    EXPIRED_REJECTED,
];
