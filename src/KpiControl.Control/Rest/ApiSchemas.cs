using Google.Protobuf.Reflection;
using Microsoft.OpenApi;

namespace KpiControl.Control.Rest;

/// <summary>Messages as JSON schemas, each once, under the names of the wire.</summary>
internal sealed class ApiSchemas(OpenApiDocument document)
{
    private const string ErrorName = "Status";

    public IOpenApiSchema Of(MessageDescriptor type)
    {
        switch (type.FullName)
        {
            case "google.protobuf.Timestamp":
                return new OpenApiSchema { Type = JsonSchemaType.String, Format = "date-time" };
            case "google.protobuf.Duration":
                return new OpenApiSchema { Type = JsonSchemaType.String, Description = "Seconds, as in 90s." };
            case "google.protobuf.Struct":
                return new OpenApiSchema { Type = JsonSchemaType.Object };
            case "google.protobuf.Value":
                return new OpenApiSchema();
        }
        if (!document.Components!.Schemas!.ContainsKey(type.Name))
        {
            var schema = new OpenApiSchema { Type = JsonSchemaType.Object, Description = ApiDocument.Comment(type.Declaration), Properties = new Dictionary<string, IOpenApiSchema>() };
            // Before its fields: a message may hold itself.
            document.Components.Schemas[type.Name] = schema;
            foreach (var field in type.Fields.InDeclarationOrder())
                schema.Properties[field.Name] = Of(field);
        }
        return new OpenApiSchemaReference(type.Name, document);
    }

    public IOpenApiSchema Of(FieldDescriptor field)
    {
        if (field.IsMap)
            return new OpenApiSchema { Type = JsonSchemaType.Object, Description = ApiDocument.Comment(field.Declaration), AdditionalProperties = Single(field.MessageType.FindFieldByNumber(2)) };
        var single = Single(field);
        if (field.IsRepeated)
            return new OpenApiSchema { Type = JsonSchemaType.Array, Description = ApiDocument.Comment(field.Declaration), Items = single };
        if (single is OpenApiSchema own && ApiDocument.Comment(field.Declaration) is { Length: > 0 } comment)
            own.Description = comment;
        return single;
    }

    public IOpenApiSchema Error()
    {
        document.Components!.Schemas!.TryAdd(ErrorName, new OpenApiSchema
        {
            Type = JsonSchemaType.Object, Description = "google.rpc.Status: what went wrong, with details that programs can read.",
            Properties = new Dictionary<string, IOpenApiSchema>
            {
                ["code"] = new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int32", Description = "google.rpc.Code." },
                ["message"] = new OpenApiSchema { Type = JsonSchemaType.String },
                ["details"] = new OpenApiSchema
                {
                    Type = JsonSchemaType.Array, Description = "ErrorInfo with its reason, and BadRequest, PreconditionFailure or RetryInfo where they fit.",
                    Items = new OpenApiSchema
                    {
                        Type = JsonSchemaType.Object, Properties = new Dictionary<string, IOpenApiSchema> { ["@type"] = new OpenApiSchema { Type = JsonSchemaType.String } },
                    },
                },
            },
        });
        return new OpenApiSchemaReference(ErrorName, document);
    }

    private IOpenApiSchema Single(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Message => Of(field.MessageType),
        FieldType.Bool => new OpenApiSchema { Type = JsonSchemaType.Boolean },
        FieldType.Int64 => new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int64" },
        FieldType.Int32 => new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int32" },
        FieldType.Double => new OpenApiSchema { Type = JsonSchemaType.Number, Format = "double" },
        _ => new OpenApiSchema { Type = JsonSchemaType.String },
    };
}
