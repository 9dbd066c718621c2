// Package api answers questions about a vault in JSON: which keys it has, what they come to, its
// columns and its figures; and it renames, copies and deletes many keys at once.
//
// Names of members are those of the command's --json. A key that is not UTF-8 has "key_base64" (RFC
// 4648, with padding) beside "key", which stands for it as well as it can. Parameters may have any
// bytes, percent-encoded. One that is unknown, there twice or out of range is refused with 400.
// Every request needs a grant for all that it touches, or else gets 403.
//
// # GET keys
//
// The parameters prefix and delimiter are those of kvault.ListOptions, reverse=true starts with the
// last key, and limit is the length of a page, 1,000 unless given and at most 10,000.
//
//	{"keys":[{"key":"photos/2020/","folder":true},{"key":"photos/a cat.jpg","size":4,
//	"modified":"2020-01-02T03:04:05Z","type":"image/jpeg","tag":"...","crc32c":"...",
//	"path":"/v/photos/a%20cat.jpg"}],"next":"..."}
//
// The path is where the value is. User metadata is left out. If there is "next", pass it as the
// parameter after to get the page behind: it is the base64url (without padding) of the page's last
// key, or of its last folder, whose keys are all passed over. A key that exists all the time is
// listed once, whatever is written between two pages.
//
// # GET du
//
// What the keys with a prefix come to, or with delimiter each folder directly below prefix:
//
//	{"folders":[{"key":"photos/","keys":12,"size":34567}],"next":"..."}
//
// Counting ends after a second, and in one of several folders after 100,000 keys; "more":true then
// says that there are more keys. With delimiter, limit and after are those of keys; a page that
// ends for want of time has a next, too. Two requests count at a time; others wait.
//
// # GET columns
//
// All columns that may be read, in the order they were made:
//
//	{"columns":[{"name":"flights/delay","type":"f64:null","length":336776,"nullable":true,
//	"element_bytes":8,"table":"flights/","path":"/api/v1/columns/flights/delay"}]}
//
// A token for a prefix may read the columns whose names begin with it, as it may read such keys. No
// request changes a column: prefix and delete are for keys alone.
//
// # GET columns/NAME
//
// Rows from offset on, at most limit of them. A negative offset counts from the end. NAME is a
// column, or a table if it ends in a slash; of a table, the parameter column chooses one, and may
// be given several times. The columns must be of one length.
//
//	{"columns":[{"name":"delay","type":"f64:null","nullable":true}],"length":336776,"offset":0,
//	"rows":[{"delay":2.0},{"delay":null}],"next":2}
//
// Rows are those of "kvault col show --json": numbers are exact, NaN and the infinities are the
// strings "NaN", "+Inf" and "-Inf", bytes are base64. A page has 1,000 rows unless limit says
// otherwise, and at most 10,000; next is the offset of the page behind. With format=ndjson, csv or
// arrow (the Arrow IPC streaming format) there is no envelope, and without a limit no end before
// that of the column.
//
// The rows are read and sent in parts, each of one state of the columns, so a slow client holds no
// transaction. How many there are is decided at the beginning. Elements that are changed meanwhile
// come as they are when they are read; if rows are removed, or a column is dropped, the connection
// is broken off, so that no short answer looks whole.
//
// With view=summary the answer is that of "kvault col describe --json", and with view=histogram
// that of "kvault col stats --json", of bins ranges: 10 unless given, at most 200.
//
// With view=plot, for columns of numbers, it is a line through the elements from from up to but not
// including to, of at most points (800 unless given, at most 10,000):
//
//	{"name":"delay","type":"f64:null","length":336776,"from":0,"to":336776,"bucket":1684,"gaps":8255,
//	"x":[0,151,834,1683],"y":[2.0,853.0,-25.0,null]}
//
// If there are more elements than points, the range is divided into buckets of that many elements,
// and the line has the first, smallest, largest and last of each, so no peak is lost. Nulls, NaN
// and the infinities have no place: they are counted as gaps, and y is null at each, or in buckets
// of several at the end of each whose last element is one. Of ranges of more than 50,000,000
// elements only the beginning of each bucket is read: "sampled":true says so, and read how many.
//
// The three views are of one state of the column, and fail with 503 after a minute. Two requests
// read a column for them at a time; others wait.
//
// # GET stats
//
// What "kvault info --json" says, without the path of the file, and the write-back cache's figures
// as "cache". "value_bytes" is left out if adding up takes longer than a quarter of a second. The
// token must be one for all keys.
//
// # POST prefix
//
// The body is a JSON object of at most 256 KiB, as application/json: action is rename, copy or
// delete, from the prefix of the keys, and for rename and copy to what takes its place. Prefixes
// that are not UTF-8 are from_base64 and to_base64. Unless overwrite is true, a new key that exists
// already is 412, and nothing changes. The answer is {"keys":12}, the number of keys.
//
// # POST delete
//
// The body names keys, as lists of strings: {"keys":["a"],"keys_base64":["/w=="]}. All are deleted
// in one transaction. The answer has the number of those that were there.
package api
