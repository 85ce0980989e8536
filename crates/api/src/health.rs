//! How the parts of the process are, as far as the API wants to know.

/// One part: a stage, the broker, the control database.
#[derive(Clone, Debug)]
pub struct PartHealth {
    /// The part's name, without anybody's data in it: everybody may read it.
    pub name: String,
    /// Whether it does its work.
    pub ready: bool,
    /// Why not, or what it is at. Shown to operators only.
    pub detail: String,
}

/// Whoever knows how the parts are.
pub trait Health: Send + Sync + 'static {
    /// Every part of this process, now. Answers from memory; it is asked every second.
    fn parts(&self) -> Vec<PartHealth>;
}
