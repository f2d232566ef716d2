-- oltp_read_write by clients that each have five variables of their own.
require("oltp_read_write")

local inherited = thread_init

function thread_init()
   inherited()
   local number = sysbench.tid + 1
   con:query(string.format(
      "SET time_zone = '+%02d:00', group_concat_max_len = %d, lock_wait_timeout = %d, @tenant = %d, @user = 'user %d'",
      number % 13, 1000 + number, 100 + number, number, number))
end
