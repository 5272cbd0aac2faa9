-- "Lane" is a word of the waiting room.
ALTER TABLE lanes RENAME TO sequences;
