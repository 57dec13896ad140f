package index

// stopWords get no tag: they are in nearly every text, so that they tell nothing
// to whoever looks for them, and most to whoever counts tags. English and
// German. The list is a part of what rows mean: changing it is another version.
const stopWords = `the of and to in is it for on that with as this be are was at by from or an not you we he she they
die der das und ist ein eine zu den mit von auf im sich nicht es des dem für als auch wir sie ich er`
