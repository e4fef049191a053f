//! The slice of one site or database: the limits that all its processes share (systemd.slice(5)).

use crate::escape::Unwritable;
use crate::escape::unit::Document;
use crate::files::{File, FileSet, Rendered};

/// Limits of a slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub memory_mib: u32,
    pub cpu_percent: u32,
    pub tasks: u32,
}

pub(crate) fn render(
    name: &str,
    description: &str,
    limits: Limits,
) -> Result<FileSet<Rendered>, Unwritable> {
    let mut unit = Document::new("Written by hwcd from the registry.");
    unit.section("Unit");
    unit.set("Description", description)?;
    unit.section("Slice");
    unit.set("MemoryMax", &format!("{}M", limits.memory_mib))?;
    // Swapping one tenant's pages must not make the neighbours wait.
    unit.set("MemorySwapMax", "0")?;
    unit.set("CPUQuota", &format!("{}%", limits.cpu_percent))?;
    unit.set("TasksMax", &limits.tasks.to_string())?;
    let mut files = FileSet::default();
    files.add(
        format!("/etc/systemd/system/{name}"),
        File::public(unit.finish()?),
    );
    Ok(files)
}
