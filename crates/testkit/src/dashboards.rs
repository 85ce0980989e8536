//! What the dashboards ask for.
