//! The classes of OCSF 1.8.0 that our events are of, with their activities.

/// A class.
pub(super) struct Class {
    pub(super) uid: i32,
    pub(super) name: &'static str,
    activities: &'static [(i32, &'static str)],
}

const BASE_EVENT: Class = Class { uid: 0, name: "Base Event", activities: &[] };

const CLASSES: [Class; 6] = [
    Class {
        uid: 1008,
        name: "Event Log Activity",
        activities: &[
            (1, "Clear"),
            (2, "Delete"),
            (3, "Export"),
            (4, "Archive"),
            (5, "Rotate"),
            (6, "Start"),
            (7, "Stop"),
            (8, "Restart"),
            (9, "Enable"),
            (10, "Disable"),
        ],
    },
    Class { uid: 2004, name: "Detection Finding", activities: &[(1, "Create"), (2, "Update"), (3, "Close")] },
    Class {
        uid: 3002,
        name: "Authentication",
        activities: &[
            (1, "Logon"),
            (2, "Logoff"),
            (3, "Authentication Ticket"),
            (4, "Service Ticket Request"),
            (5, "Service Ticket Renew"),
            (6, "Preauth"),
            (7, "Account Switch"),
        ],
    },
    Class {
        uid: 3004,
        name: "Entity Management",
        activities: &[
            (1, "Create"),
            (2, "Read"),
            (3, "Update"),
            (4, "Delete"),
            (5, "Move"),
            (6, "Enroll"),
            (7, "Unenroll"),
            (8, "Enable"),
            (9, "Disable"),
            (10, "Activate"),
            (11, "Deactivate"),
            (12, "Suspend"),
            (13, "Resume"),
        ],
    },
    Class {
        uid: 4002,
        name: "HTTP Activity",
        activities: &[
            (1, "Connect"),
            (2, "Delete"),
            (3, "Get"),
            (4, "Head"),
            (5, "Options"),
            (6, "Post"),
            (7, "Put"),
            (8, "Trace"),
            (9, "Patch"),
        ],
    },
    Class {
        uid: 6003,
        name: "API Activity",
        activities: &[(1, "Create"), (2, "Read"), (3, "Update"), (4, "Delete")],
    },
];

/// A class by its number; one that we do not write is a base event.
pub(super) fn class(uid: i32) -> &'static Class {
    CLASSES.iter().find(|class| class.uid == uid).unwrap_or(&BASE_EVENT)
}

/// The caption of a category.
pub(super) fn category(uid: i32) -> &'static str {
    match uid {
        1 => "System Activity",
        2 => "Findings",
        3 => "Identity & Access Management",
        4 => "Network Activity",
        6 => "Application Activity",
        _ => "Uncategorized",
    }
}

impl Class {
    /// An activity's number and caption; `Other` for one that the class does not know.
    pub(super) fn activity(&self, id: i32) -> (i32, &'static str) {
        let known = self.activities.iter().find(|(known, _)| *known == id);
        known.copied().unwrap_or(if id == 0 { (0, "Unknown") } else { (99, "Other") })
    }
}
