using KpiControl.Control.Security;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Security;

/// <summary>docs/authorization.md says of each role what the code grants it.</summary>
public sealed class RolePageTests
{
    private static readonly string[][] Rows =
    [
        .. File.ReadAllText(Repository.File("docs", "authorization.md")).Split("## Roles")[1].Split("## ")[0].Split('\n')
            .Where(line => line.StartsWith("| `", StringComparison.Ordinal)).Select(line => line.Trim().Trim('|').Split('|').Select(cell => cell.Trim()).ToArray()),
    ];

    public static TheoryData<string> Roles => [.. Rows.Select(row => row[0].Trim('`'))];

    [Fact]
    public void Every_role_of_the_platform_is_there() =>
        Assert.Equal(["viewer", "analyst", "author", "publisher", "approver_business", "approver_technical", "auditor", "admin", "platform_operator"], Roles.Select(row => row.Data));

    [Theory]
    [MemberData(nameof(Roles))]
    public void Its_verbs_are_those_that_it_grants(string role)
    {
        var told = Rows.Single(row => row[0] == $"`{role}`")[2];
        var granted = Enum.GetValues<Verb>().Where(verb => Role.Grants(role, verb)).Select(verb => verb.ToString());
        Assert.True(Role.Exists(role));
        Assert.Equal(told.StartsWith("every verb", StringComparison.Ordinal) ? Enum.GetNames<Verb>().Order() : told.Trim('`').Split(' ').Order(), granted.Order());
    }
}
