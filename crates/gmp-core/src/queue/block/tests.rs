//! What the blocks promise beyond the suite.
