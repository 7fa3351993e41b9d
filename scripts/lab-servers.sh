# shellcheck shell=bash
# What runs on the lab's real servers. Part of lab.sh.
#
# Each runs nginx on port 80, which answers every path with the server's name, and
# serves random bytes at /1m.bin and /64m.bin, slowly (256 kB a second) below
# /slow/, and keeps what is PUT below /upload/; and test/echo on UDP port 7, which answers with the server's name and
# the question. Logs, one line an exchange:
#   http.log   CLIENT-ADDRESS SERVER-ADDRESS PATH STATUS
#   udp.log    CLIENT-ADDRESS SERVER-ADDRESS QUESTION
#
# With two arms they also end tunnels: with the kernel's tunnel devices where it
# has them, else with test/decap.

LAB_FILES=$BUILD/lab # made once, shared by all labs

lab_servers() {
	local host
	lab_files
	for host in rs1 rs2; do
		mkdir -p "$LAB_DIR/$host/tmp" "$LAB_DIR/$host/upload"
		lab_nginx_conf "$host" >"$LAB_DIR/$host/nginx.conf"
		lab_spawn "$host-nginx" "$host" "$LAB_DIR/$host/nginx.out" \
			nginx -p "$LAB_DIR/$host/" -c nginx.conf -e error.log -g 'daemon off;'
		lab_spawn "$host-echo" "$host" "$LAB_DIR/$host/echo.out" \
			"$BUILD/echo" serve --name "$host" --log "$LAB_DIR/$host/udp.log" --port 7
	done
	for host in rs1 rs2; do
		[[ $(lab_variant) == one-arm ]] || lab_tunnels "$host"
		lab_wait_listening "$host" "$host-nginx" -t 80 nginx.out
		lab_wait_listening "$host" "$host-echo" -u 7 echo.out
	done
}

# lab_tunnels ends tunnels of all four kinds on a server.
lab_tunnels() { # host
	local ns i rest=()
	ns=$(lab_ns "$1")
	lab_kernel_tunnel "$1" ipip 4 || rest+=(4in4)
	lab_kernel_tunnel "$1" sit 4 mode ip6ip || rest+=(6in4)
	lab_kernel_tunnel "$1" ip6tnl 6 mode any || rest+=(4in6 6in6)
	((${#rest[@]} > 0)) || return 0
	ip -n "$ns" tuntap add decap mode tun
	ip -n "$ns" link set decap up
	lab_spawn "$1-decap" "$1" "$LAB_DIR/$1/decap.out" "$BUILD/decap" --device decap "${rest[@]}"
	for ((i = 0; i < 200; i++)); do
		[[ $(ip -n "$ns" link show decap) != *LOWER_UP* ]] || return 0
		! lab_ended "$1-decap" || break
		sleep 0.05
	done
	cat "$LAB_DIR/$1/decap.out" >&2
	die "lab $LAB_ID: $1-decap: does not attach to its device: see above"
}

# lab_kernel_tunnel fails when the kernel has no such device.
lab_kernel_tunnel() { # host type family [setting...]
	local ns
	ns=$(lab_ns "$1")
	ip -n "$ns" link add "tun-$2" type "$2" "${@:4}" local "$(lab_addr "$1" "$3")" 2>/dev/null || return 1
	ip -n "$ns" link set "tun-$2" up
}

lab_files() {
	local name
	mkdir -p "$LAB_FILES"
	for name in 1 64; do
		[[ ! -e $LAB_FILES/${name}m.bin ]] || continue
		head -c "${name}M" /dev/urandom >"$LAB_FILES/${name}m.$$"
		mv "$LAB_FILES/${name}m.$$" "$LAB_FILES/${name}m.bin"
	done
}

lab_nginx_conf() { # host
	cat <<-END
		user root;
		pid nginx.pid;
		worker_processes 1;
		events { worker_connections 4096; }
		http {
			log_format lab '\$remote_addr \$server_addr \$request_uri \$status';
			access_log http.log lab;
			default_type text/plain;
			sendfile on;
			keepalive_timeout 0;
			client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
			uwsgi_temp_path tmp; scgi_temp_path tmp;
			server {
				listen 80 backlog=4096;
				listen [::]:80 backlog=4096;
				location / { return 200 "$1\n"; }
				location ~ ^/([0-9]+m\.bin)\$ { alias "$LAB_FILES/\$1"; }
				location /upload/ {
					alias "$LAB_DIR/$1/upload/";
					dav_methods PUT;
					client_max_body_size 0;
				}
				location ~ ^/slow/([0-9]+m\.bin)\$ { alias "$LAB_FILES/\$1"; limit_rate 256k; }
			}
		}
	END
}

# lab_wait_listening waits until a port has a socket; OUT says why if it never does.
lab_wait_listening() { # host name -t|-u port out
	local i
	for ((i = 0; i < 200; i++)); do
		[[ -n $(lab_exec "$1" ss -Hln "$3" "sport = $4") ]] && return
		! lab_ended "$2" || break
		sleep 0.05
	done
	cat "$LAB_DIR/$1/$5" "$LAB_DIR/$1/error.log" >&2 || true
	die "lab $LAB_ID: $2: does not listen on port $4: see above"
}

# lab_count prints how many lines of a server's log match.
lab_count() { # host http|udp regex
	grep -cE "$3" "$LAB_DIR/$1/$2.log" 2>/dev/null || true
}
