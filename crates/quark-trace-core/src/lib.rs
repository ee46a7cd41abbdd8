//! The pure core of Quark Trace.
