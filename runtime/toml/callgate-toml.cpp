// SPDX-License-Identifier: Apache-2.0
//
// callgate-toml FILE: a TOML file as JSON, {"data": ..., "lines": {"rule[0].port": 12, ...}}, on stdout.
//
// A program of its own, and in C++, because Debian has no TOML library for C; callgate itself would start later with
// the C++ library in it, and most containers have no policy. Exit status 1: the file is not valid; the
// reason is on stderr, beginning with "FILE:LINE:COLUMN: ".
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#define TOML_ENABLE_FORMATTERS 1
#include <toml++/toml.h>

namespace
{
std::string quoted(std::string_view text)
{
	std::string out = "\"";

	for (unsigned char c : text) {
		char escape[8];

		if (c == '"' || c == '\\')
			(out += '\\') += static_cast<char>(c);
		else if (c < 0x20 || c == 0x7f)
			std::snprintf(escape, sizeof(escape), "\\u%04x", c), out += escape;
		else
			out += static_cast<char>(c);
	}
	return out + '"';
}

template <typename T> std::string formatted(const T &value)
{
	std::ostringstream out;

	out << value;
	return out.str();
}

class Writer
{
      public:
	std::string data, lines;

	// JSON has no dates: they are strings, which nobody expects, and so an error that names the key.
	void write(const toml::node &node, const std::string &path)
	{
		if (!path.empty())
			lines += (lines.empty() ? "" : ",") + quoted(path) + ":" +
				 std::to_string(node.source().begin.line);
		if (auto table = node.as_table())
			write_table(*table, path);
		else if (auto array = node.as_array())
			write_array(*array, path);
		else if (auto text = node.as_string())
			data += quoted(text->get());
		else if (auto flag = node.as_boolean())
			data += flag->get() ? "true" : "false";
		else if (auto number = node.as_integer())
			data += std::to_string(number->get());
		else if (auto real = node.as_floating_point(); real && std::isfinite(real->get()))
			data += formatted(real->get());
		else
			node.visit([&](auto &&value) { data += quoted(formatted(value)); });
	}

      private:
	void write_table(const toml::table &table, const std::string &path)
	{
		const char *between = "{";

		for (auto &&[key, value] : table) {
			data += between + quoted(key.str()) + ":";
			write(value, (path.empty() ? "" : path + ".") + std::string(key.str()));
			between = ",";
		}
		data += table.empty() ? "{}" : "}";
	}

	void write_array(const toml::array &array, const std::string &path)
	{
		size_t index = 0;

		data += "[";
		for (auto &&value : array) {
			data += index ? "," : "";
			write(value, path + "[" + std::to_string(index++) + "]");
		}
		data += "]";
	}
};
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		std::cerr << "usage: callgate-toml FILE\n";
		return 2;
	}
	try {
		Writer writer;

		writer.write(toml::parse_file(argv[1]), "");
		std::cout << "{\"data\":" << writer.data << ",\"lines\":{" << writer.lines << "}}\n";
	} catch (const toml::parse_error &error) {
		std::cerr << argv[1] << ":" << error.source().begin.line << ":" << error.source().begin.column
			  << ": " << error.description() << "\n";
		return 1;
	}
	return std::cout.flush() ? 0 : 1;
}
