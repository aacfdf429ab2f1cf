using System.Text.RegularExpressions;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Artifacts.Text;

namespace KpiControl.Jobs.Contracts;

/// <summary>Reads the contract of a raw or a GDP table: text to meaning, with everything that is wrong with it, in one call.</summary>
/// <remarks>Pure; never throws, whatever the text; the same limits as for job artifacts.</remarks>
public static partial class DatasetReader
{
    public static DatasetContract? Read(string text, ArtifactFormat format) =>
        CatalogReader.Read(text, format).Dataset;

    internal static DatasetContract Contract(ArtifactNode root, FindingList findings)
    {
        var document = new MemberReader(root, root, findings);
        var header = document.Object("header", required: true);
        var payload = document.Object("payload", required: true);
        document.WarnOfOthers();
        var contract = Header(header);
        contract = contract with
        {
            Columns = [.. payload.Objects("columns", required: true).Select(ContractReader.Field)],
            PrimaryKey = payload.Texts("primary_key"),
            File = contract.IsRaw ? payload.Object("source", required: true).Text("file", FileForm, required: true) : null,
            ExpressionText = contract.IsRaw ? null : ContractReader.Expression(payload.Object("expression", required: true)),
            Through = contract.IsRaw ? null : Through(payload.Object("data_through", required: true)),
        };
        payload.WarnOfOthers();
        Check(contract, header, payload, findings);
        return contract;
    }

    private static DatasetContract Header(MemberReader header)
    {
        var contract = new DatasetContract
        {
            Type = header.Word("contract_type", ContractKind.OfDatasets, required: true) ?? "",
            ContractId = header.Text("contract_id", required: true) ?? "",
            Dataset = header.Text("dataset", TableForm, required: true) ?? "",
            Version = header.Text("version", ContractReader.VersionForm, required: true) ?? "",
            Status = header.Word("status", ContractStatus.All) ?? ContractStatus.Draft,
            Dependencies = header.Texts("dependencies"),
            Columns = [],
        };
        foreach (var known in (string[])["owner_team", "owner_business", "owner_technical", "lineage_id", "classification"])
            header.Text(known);
        header.WarnOfOthers();
        return contract;
    }

    private static DataThrough Through(MemberReader through)
    {
        var read = new DataThrough(through.Text("column", ContractReader.ColumnForm, required: true) ?? "", through.Word("grain", ContractReader.Grains, required: true) ?? "");
        through.WarnOfOthers();
        return read;
    }

    private static void Check(DatasetContract contract, MemberReader header, MemberReader payload, FindingList findings)
    {
        if (contract.Columns.Count == 0 && payload["columns"] is { } columns)
            findings.Error("contract.columns", columns, "A table has at least one column.");
        foreach (var twice in contract.Columns.Where(c => c.Name.Length > 0).GroupBy(c => c.Name).Where(group => group.Count() > 1))
            findings.Error("contract.duplicate_name", payload.At, $"\"{twice.Key}\" names two columns.");
        foreach (var item in payload["primary_key"]?.Items.Where(i => i.Kind == NodeKind.String && contract.Columns.All(c => c.Name != i.Text)) ?? [])
            findings.Error("contract.primary_key", item, $"\"{item.Text}\" in primary_key is not a column.");
        var dependencies = header["dependencies"];
        foreach (var item in dependencies?.Items.Where(i => i.Kind == NodeKind.String && !Table().IsMatch(i.Text)) ?? [])
            findings.Error("contract.dependency", item, "A dependency of a GDP table is a raw table (RAW_Invoices).");
        if (contract.IsRaw && contract.Dependencies.Count > 0)
            findings.Error("contract.dependency", dependencies!, "A raw table is loaded from a file and depends on no other table.", "Remove dependencies, or say contract_type: gdp.");
        if (contract.Dependencies.Contains(contract.Dataset))
            findings.Error("contract.cycle", dependencies!, "A table cannot be built from itself.");
        if (contract.ExpressionText is { } text && (text.Contains(';', StringComparison.Ordinal) || text.Contains("{{", StringComparison.Ordinal)))
            findings.Error("contract.expression", payload["expression"]!, "The expression of a table is one SELECT, without a semicolon and without holes.");
        if (contract.Through is { Column.Length: > 0 } through && contract.Columns.FirstOrDefault(c => c.Name == through.Column)?.DataType is not ("DATE" or "TIMESTAMP"))
            findings.Error("contract.data_through", payload["data_through"]!, $"\"{through.Column}\" is not a column of type DATE or TIMESTAMP.");
    }

    // Also a name in SQL on both engines, written as it stands: what would need quoting is no name here.
    private static readonly TextForm TableForm = new(Table(), "Write a table's name, like RAW_Invoices: letters, digits and _, at most 51 characters.");
    private static readonly TextForm FileForm = new(FileName(), "Write the path of a file beneath the connection's data_directory, like 2024/sales.csv: letters, digits, - _ and ., no part beginning with a dot.");

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_]{0,50}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Table();

    // Beneath the data directory, and never out of it.
    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,7}\z", RegexOptions.CultureInvariant)]
    private static partial Regex FileName();
}
