//! The cluster: its nodes, and one more.

mod add_node;
mod nodes;

pub use add_node::AddNodePage;
pub use nodes::NodesPage;
