using System.Reflection;
using System.Text.RegularExpressions;
using KpiControl.Testing;
using Npgsql;

namespace KpiControl.Tidy.Tests;

/// <summary>Every statement of the control plane is understood by the database that its migrations make.</summary>
public sealed class StatementTests
{
    private static readonly Regex Verb = new(@"^\s*(--[^\n]*\n\s*)*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH)\b", RegexOptions.IgnoreCase);

    private static readonly IReadOnlyList<(Type Type, string Name, string Sql)> Statements =
    [
        .. from type in Assembly.Load("kpi-control").GetTypes()
           from field in type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
           where field.IsLiteral && field.FieldType == typeof(string)
           let sql = (string)field.GetRawConstantValue()!
           where Verb.IsMatch(sql)
           select (type, field.Name, sql),
    ];

    [Fact]
    public async Task Every_statement_prepares()
    {
        var token = TestContext.Current.CancellationToken;
        await using var database = await PostgresFixture.CreateDatabaseAsync(token);
        await using var connection = await database.OpenAsync(token);
        var refused = new List<string>();
        foreach (var (type, name, sql) in Statements)
            if (await RefusalAsync(connection, sql, token) is { } refusal)
                refused.Add($"{type.Name}.{name}: {refusal}");
        Assert.Equal("", string.Join('\n', refused));
        Assert.NotEmpty(Statements);
    }

    [Fact]
    public void Sql_lives_in_stores()
    {
        var strays = Statements.Where(s => !s.Type.Name.EndsWith("Store", StringComparison.Ordinal) && s.Type.Namespace != "KpiControl.Control.Database");
        Assert.Equal("", string.Join('\n', strays.Select(s => $"{s.Type.Name}.{s.Name}")));
    }

    private static async Task<string?> RefusalAsync(NpgsqlConnection connection, string sql, CancellationToken token)
    {
        // The server's own PREPARE numbers its parameters and infers their types.
        var names = new List<string>();
        var numbered = Regex.Replace(sql, @"(?<![@\w])@(\w+)", m =>
        {
            if (!names.Contains(m.Groups[1].Value))
                names.Add(m.Groups[1].Value);
            return $"${names.IndexOf(m.Groups[1].Value) + 1}";
        });
        try
        {
            await using var prepare = new NpgsqlCommand($"PREPARE tidy AS {numbered}", connection);
            await prepare.ExecuteNonQueryAsync(token);
            await using var forget = new NpgsqlCommand("DEALLOCATE tidy", connection);
            await forget.ExecuteNonQueryAsync(token);
            return null;
        }
        // The driver sends the types that the server cannot infer here: of a bare parameter, or of unnest(@array).
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.IndeterminateDatatype or PostgresErrorCodes.AmbiguousParameter
            || (e.SqlState == PostgresErrorCodes.AmbiguousFunction && e.MessageText.Contains("unnest(", StringComparison.Ordinal)))
        {
            return null;
        }
        catch (PostgresException e)
        {
            return $"{e.SqlState} {e.MessageText}";
        }
    }
}
