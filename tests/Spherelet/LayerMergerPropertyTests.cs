using System.Text;
using CsCheck;
using Vks.Spherelet.Images;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>Random stacks of layers against a model of what overlayfs shows.</summary>
/// <remarks>
/// The model keeps whole paths in one flat map and knows nothing of trees: each layer is first boiled down to its own final paths,
/// then what it hides is taken out of the map, then its paths are put in.
/// </remarks>
public sealed class LayerMergerPropertyTests
{
    private static readonly Gen<string> Path = Gen.Select(Gen.Char["abc"], Gen.Int[1, 3]).SelectMany(
        (_, depth) => Gen.Char["abc"].Array[depth].Select(names => string.Join('/', names)));

    private static readonly Gen<Op> Operation = Gen.Frequency(
        (5, Gen.Select(Path, Gen.Int[0, 99], (path, content) => new Op('f', path, $"{content}"))),
        (2, Path.Select(path => new Op('d', path, ""))),
        (2, Gen.Select(Path, Path, (path, target) => new Op('s', path, target))),
        (2, Gen.Select(Path, Path, (path, target) => new Op('h', path, target))),
        (2, Path.Select(path => new Op('w', path, ""))),
        (1, Path.Select(path => new Op('o', path, ""))));

    [Fact]
    public Task Merged_layers_are_what_overlayfs_would_show() =>
        Operation.Array[0, 8].Array[1, 4].SampleAsync(
            async layers =>
            {
                SortedDictionary<string, string> expected = Model(layers, out Op[][] possible);
                Assert.Equal(expected, await MergeAsync(possible));
            },
            iter: 3_000);

    [Fact]
    public Task A_tar_that_is_written_reads_back_the_same() =>
        Gen.Select(
            Gen.Enum<TarEntryKind>(),
            Gen.Char['\u0001', '\u00ff'].Where(c => c != '/').Array[1, 300].Select(chars => new string(chars)),
            Gen.Long[0, uint.MaxValue],
            Gen.Byte.Array[0, 700],
            Gen.Byte.Array[0, 2000]).SampleAsync(async input =>
            {
                (TarEntryKind kind, string name, long number, byte[] xattr, byte[] content) = input;
                TarEntry entry = new()
                {
                    Kind = kind,
                    Path = name,
                    LinkTarget = kind is TarEntryKind.Symlink or TarEntryKind.HardLink ? name + "/" + name : "",
                    Mode = (int)(number & 0xfff),
                    Uid = number,
                    Gid = uint.MaxValue - number,
                    MtimeSeconds = number,
                    Size = kind == TarEntryKind.File ? content.Length : 0,
                    Xattrs = [new("user.x", xattr)],
                };
                byte[] archive = new ImageBuilderTar().Add(entry, kind == TarEntryKind.File ? content : []).ToArray();

                using TarStreamReader reader = new(new MemoryStream(archive));
                TarEntry? read = await reader.NextAsync(CancellationToken.None);
                using MemoryStream copied = new();
                await reader.CopyContentAsync(copied, CancellationToken.None);

                Assert.Equal(entry with { Xattrs = [] }, read! with { Xattrs = [] });
                Assert.Equal(xattr, read.Xattrs.Single().Value);
                Assert.Equal(kind == TarEntryKind.File ? content : [], copied.ToArray());
                Assert.Null(await reader.NextAsync(CancellationToken.None));
            }, iter: 2_000);

    [Fact]
    public Task Rubbish_never_does_more_than_raise_a_format_fault() =>
        Gen.Select(Operation.Array[1, 4], Gen.Int[0, 4000], Gen.Byte, Gen.Int[0, 2]).SampleAsync(async input =>
        {
            (Op[] operations, int position, byte value, int cut) = input;
            byte[] archive = Archive(operations);
            archive[position % archive.Length] = value;
            LayerTree tree = new(0);
            using TarStreamReader reader = new(new MemoryStream(archive, 0, archive.Length >> cut));
            try
            {
                while (await reader.NextAsync(CancellationToken.None) is { } entry)
                {
                    tree.Add(entry);
                }

                MergedTree merged = new();
                merged.Apply(tree);
                Assert.NotNull(MergedTarPlan.Of(merged));
            }
            catch (LayerFormatException e)
            {
                Assert.NotEmpty(e.Message);
            }
        }, iter: 5_000);

    private static byte[] Archive(IEnumerable<Op> operations)
    {
        ImageBuilderTar tar = new();
        foreach (Op op in operations)
        {
            string directory = op.Path.Contains('/', StringComparison.Ordinal) ? op.Path[..op.Path.LastIndexOf('/')] : "";
            _ = op.Kind switch
            {
                'f' => tar.File(op.Path, op.Value),
                'd' => tar.Dir(op.Path),
                's' => tar.Symlink(op.Path, op.Value),
                'h' => tar.HardLink(op.Path, op.Value),
                'w' => tar.Whiteout(directory, op.Path[(op.Path.LastIndexOf('/') + 1)..]),
                _ => tar.Opaque(op.Path),
            };
        }

        return tar.ToArray();
    }

    /// <summary>The merger's answer: path to kind and content, with hard links looked up.</summary>
    private static async Task<SortedDictionary<string, string>> MergeAsync(Op[][] layers)
    {
        string folder = Directory.CreateTempSubdirectory("vks-test-merge-").FullName;
        try
        {
            ImageLayer[] files = [.. layers.Select((operations, i) =>
            {
                byte[] archive = Archive(operations);
                string path = System.IO.Path.Combine(folder, $"{i}");
                File.WriteAllBytes(path, archive);
                return new ImageLayer(ImageBuilder.Digest(archive), path, ImageBuilder.Digest(archive));
            })];
            return await ReadAsync(files);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<SortedDictionary<string, string>> ReadAsync(ImageLayer[] layers)
    {
        MergedTarPlan plan = await LayerMerger.PlanAsync(layers, 1 << 30, CancellationToken.None);
        using MemoryStream merged = new();
        await LayerMerger.WriteAsync(plan, layers, merged, CancellationToken.None);
        merged.Position = 0;
        using TarStreamReader reader = new(merged);
        SortedDictionary<string, string> seen = new(StringComparer.Ordinal);
        while (await reader.NextAsync(CancellationToken.None) is { } entry)
        {
            using MemoryStream content = new();
            await reader.CopyContentAsync(content, CancellationToken.None);
            string path = entry.Path.TrimEnd('/');
            Assert.True(seen.TryAdd(path, entry.Kind switch
            {
                TarEntryKind.File => "f" + Encoding.UTF8.GetString(content.ToArray()),
                TarEntryKind.Directory => "d",
                TarEntryKind.Symlink => "s" + entry.LinkTarget,
                TarEntryKind.HardLink => seen[entry.LinkTarget],
                _ => throw new InvalidOperationException($"{entry.Kind}"),
            }), $"'{path}' comes twice");
        }

        seen.Remove(".");
        return seen;
    }

    /// <summary>The model's answer; and the layers without hard links to nothing, which the merger refuses.</summary>
    private static SortedDictionary<string, string> Model(Op[][] layers, out Op[][] possible)
    {
        SortedDictionary<string, string> shown = new(StringComparer.Ordinal);
        List<Op[]> kept = [];
        foreach (Op[] layer in layers)
        {
            SortedDictionary<string, string> own = new(StringComparer.Ordinal);
            List<string> hidden = [];
            List<Op> operations = [];
            foreach (Op op in layer)
            {
                string? value = op.Kind switch
                {
                    'f' or 's' => op.Kind + op.Value,
                    'd' => "d",
                    'h' => own.GetValueOrDefault(op.Value) ?? shown.GetValueOrDefault(op.Value),
                    _ => "",
                };
                bool belowItsTarget = op.Path.StartsWith(op.Value + "/", StringComparison.Ordinal);
                if (op.Kind == 'h' && (value is null or "d" || belowItsTarget))
                {
                    continue;
                }

                operations.Add(op);
                MakeParents(own, op.Kind == 'o' ? op.Path + "/x" : op.Path);
                if (op.Kind == 'w')
                {
                    hidden.Add(op.Path);
                }
                else if (op.Kind == 'o')
                {
                    hidden.Add(op.Path + "/");
                }
                else
                {
                    if (op.Kind != 'd')
                    {
                        RemoveBelow(own, op.Path);
                        DropMarks(hidden, op.Path);
                    }

                    own[op.Path] = value!;
                }
            }

            Lay(shown, own, hidden);
            kept.Add([.. operations]);
        }

        possible = [.. kept];
        return shown;
    }

    private static void Lay(SortedDictionary<string, string> shown, SortedDictionary<string, string> own, List<string> hidden)
    {
        foreach (string path in hidden)
        {
            if (path.EndsWith('/'))
            {
                RemoveBelow(shown, path[..^1]);
            }
            else
            {
                shown.Remove(path);
                RemoveBelow(shown, path);
            }
        }

        foreach ((string path, string value) in own)
        {
            if (value != "d")
            {
                RemoveBelow(shown, path);
            }

            shown[path] = value;
        }
    }

    private static void MakeParents(SortedDictionary<string, string> own, string path)
    {
        for (int slash = path.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = path.IndexOf('/', slash + 1))
        {
            own[path[..slash]] = "d";
        }
    }

    private static void RemoveBelow(SortedDictionary<string, string> map, string path)
    {
        foreach (string below in map.Keys.Where(key => key.StartsWith(path + "/", StringComparison.Ordinal)).ToArray())
        {
            map.Remove(below);
        }
    }

    // A file in place of a directory takes the directory's marks with it.
    private static void DropMarks(List<string> hidden, string path) =>
        hidden.RemoveAll(mark => mark.StartsWith(path + "/", StringComparison.Ordinal));

    private sealed record Op(char Kind, string Path, string Value);
}
