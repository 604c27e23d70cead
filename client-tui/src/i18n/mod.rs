//! The words of the interface, in English and Spanish.
