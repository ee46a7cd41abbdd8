//! The flight recorder of machine learning.
