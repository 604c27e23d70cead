-- Nothing here: the index of used ids is SQLite's (decision 17). Both databases count the same steps.
SELECT 1;
