using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Dapper;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Requests;

/// <summary>A column that may be filtered by: an SQL expression of ours, never of the caller's.</summary>
internal sealed record FilterColumn(string Sql, bool IsBoolean = false);

/// <summary>The subset of AIP-160 that lists take: terms joined by AND, with = and !=, a trailing * for a prefix.</summary>
internal static partial class Filter
{
    private const int Longest = 1000;

    /// <summary>Adds its values to <paramref name="parameters"/> and returns conditions, each beginning with AND.</summary>
    public static string ToSql(string filter, IReadOnlyDictionary<string, FilterColumn> columns, DynamicParameters parameters)
    {
        if (filter.Length > Longest)
            throw Reject.Invalid("filter", $"is longer than {Longest} characters");
        var sql = new StringBuilder();
        var at = 0;
        for (var number = 0; at < filter.Length && filter.AsSpan(at).ContainsAnyExcept(' '); number++)
        {
            var term = Term().Match(filter, at);
            if (!term.Success || (number > 0) != term.Groups["and"].Success)
                throw Reject.Invalid("filter", $"cannot be read from character {at + 1}: write terms like last_status = \"failed\" AND paused = false");
            var name = term.Groups["field"].Value;
            var column = columns.GetValueOrDefault(name)
                ?? throw Reject.Invalid("filter", $"does not know {name}; it takes {string.Join(", ", columns.Keys)}");
            sql.Append(Condition(name, column, term, parameters, string.Create(CultureInfo.InvariantCulture, $"filter{number}")));
            at = term.Index + term.Length;
        }
        return sql.ToString();
    }

    private static string Condition(string name, FilterColumn column, Match term, DynamicParameters parameters, string parameter)
    {
        var value = term.Groups["quoted"].Success ? Escape().Replace(term.Groups["quoted"].Value, "$1") : term.Groups["bare"].Value;
        var isNot = term.Groups["op"].Value == "!=";
        if (column.IsBoolean)
        {
            if (value is not ("true" or "false"))
                throw Reject.Invalid("filter", $"compares {name} with something that is neither true nor false");
            parameters.Add(parameter, value == "true");
        }
        else if (value.EndsWith('*'))
        {
            parameters.Add(parameter, value[..^1]);
            return $" AND {(isNot ? "NOT " : "")}starts_with(COALESCE({column.Sql}, ''), @{parameter})";
        }
        else
            parameters.Add(parameter, value);
        return column.IsBoolean
            ? $" AND {column.Sql} {(isNot ? "<>" : "=")} @{parameter}"
            : $" AND COALESCE({column.Sql}, '') {(isNot ? "<>" : "=")} @{parameter}";
    }

    [GeneratedRegex("""\G\s*(?<and>AND\s+)?(?<field>[a-z_]+)\s*(?<op>!=|=)\s*(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<bare>(?!AND\b)[^\s"]+))(?:\s+|\z)""", RegexOptions.CultureInvariant)]
    private static partial Regex Term();

    [GeneratedRegex(@"\\(.)", RegexOptions.CultureInvariant)]
    private static partial Regex Escape();
}
