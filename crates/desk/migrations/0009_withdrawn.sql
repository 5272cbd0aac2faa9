-- Events may be 'withdrawn' from here on: called off as drafts. Programs from before do not know the word.
SELECT 1;
