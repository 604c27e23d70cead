//! Drawing: reads the model, writes cells.
